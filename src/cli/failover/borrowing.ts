import type pg from 'pg';
import { type LoadClient, READ, WRITE } from './client.js';

/** What a pool of generic-pool's has. */
interface Borrowable {
  acquire(): PromiseLike<pg.Client>;
  release(client: pg.Client): PromiseLike<void>;
  destroy(client: pg.Client): PromiseLike<void>;
  drain(): PromiseLike<void>;
  clear(): PromiseLike<void>;
}

/** Borrows a client of pg for each query, and destroys one whose query failed. */
export function loadClient(pool: Borrowable): LoadClient {
  const portOf = async (text: string, values: string[]): Promise<number> => {
    const client = await pool.acquire();
    try {
      const { rows } = await client.query<{ port: number }>(text, values);
      await pool.release(client);
      return rows[0]!.port;
    } catch (error) {
      await pool.destroy(client);
      throw error;
    }
  };
  const close = async (): Promise<void> => {
    await pool.drain();
    await pool.clear();
  };
  return { write: (id) => portOf(WRITE, [id]), read: () => portOf(READ, []), close };
}
