import { createPool } from 'mariadb';
import { type LoadClient, MYSQL_READ, MYSQL_WRITE, POOL_SIZE, type Target } from '../client.js';

/** The pool of MariaDB's connector as it comes. */
export function open({ name, port, user, password, database }: Target): LoadClient {
  const pool = createPool({ host: name, port, user, password, database, connectionLimit: POOL_SIZE });
  return {
    write: async (id) => void (await pool.query(MYSQL_WRITE, [id])),
    read: async () => Number((await pool.query<{ port: bigint }[]>(MYSQL_READ))[0]!.port),
    close: () => pool.end(),
  };
}
