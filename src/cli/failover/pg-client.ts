import { type LoadClient, READ, WRITE } from './client.js';

/** What a pool of pg's kind has. */
interface PgPool {
  query(text: string, values?: string[]): Promise<{ readonly rows: readonly unknown[] }>;
  end(): Promise<unknown>;
}

/** A pool of pg, or one that is used like it. */
export function loadClient(pool: PgPool): LoadClient {
  const portOf = async (text: string, values?: string[]): Promise<number> => {
    const { rows } = await pool.query(text, values);
    return (rows[0] as { port: number }).port;
  };
  return { write: (id) => portOf(WRITE, [id]), read: () => portOf(READ), close: () => pool.end() };
}
