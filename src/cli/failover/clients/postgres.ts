import postgres from 'postgres';
import { type LoadClient, POOL_SIZE, READ, type Target, WRITE } from '../client.js';

/** postgres.js as it comes. */
export function open({ name, port, user, password, database }: Target): LoadClient {
  const sql = postgres({ host: name, port, user, password, database, max: POOL_SIZE });
  const portOf = async (text: string, values: string[]): Promise<number> =>
    (await sql.unsafe<{ port: number }[]>(text, values, { prepare: true }))[0]!.port;
  return { write: (id) => portOf(WRITE, [id]), read: () => portOf(READ, []), close: () => sql.end() };
}
