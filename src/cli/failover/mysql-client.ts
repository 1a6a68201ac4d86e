import { type LoadClient, MYSQL_READ, MYSQL_WRITE } from './client.js';

/** What a promise pool of mysql2's kind has. */
interface MysqlPool {
  query(text: string, values?: string[]): Promise<readonly [unknown, unknown]>;
  end(): Promise<void>;
}

/** A promise pool of mysql2, or one that is used like it. */
export function loadClient(pool: MysqlPool): LoadClient {
  return {
    write: async (id) => void (await pool.query(MYSQL_WRITE, [id])),
    read: async () => {
      const [rows] = await pool.query(MYSQL_READ);
      return (rows as { port: number }[])[0]!.port;
    },
    close: () => pool.end(),
  };
}
