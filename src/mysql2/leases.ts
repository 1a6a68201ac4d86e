import type * as mysql from 'mysql2';
import { outcomeOf } from '../outcome/outcome.js';
import type { GetCallback, ResultCallback } from './internals.js';
import type { Clock } from '../clock.js';

export interface Result {
  readonly rows: unknown;
  readonly fields: unknown;
}

/** One statement on one connection, as a promise. */
export function settled(start: (told: ResultCallback) => unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, rows, fields) => (error == null ? resolve({ rows, fields }) : reject(error)));
  });
}

export function lease(get: (callback: GetCallback) => void): Promise<mysql.PoolConnection> {
  return new Promise((resolve, reject) => {
    get((error, connection) => (error == null ? resolve(connection) : reject(error)));
  });
}

/**
 * A connection to a server that answers: the first statement proves it, and where its connection breaks another one is
 * taken, since a pool learns only one after the other that the connections to a dead server are gone.
 * @throws what the pool or the server said, or what the last connection failed with after `until`
 */
export async function leaseAnswering(
  get: (callback: GetCallback) => void,
  clock: Clock,
  until: number,
  first: string,
): Promise<mysql.PoolConnection> {
  for (;;) {
    const connection = await lease(get);
    try {
      await settled((told) => connection.query(first, told));
      return connection;
    } catch (error) {
      connection.destroy();
      if (outcomeOf(error) === undefined || clock.now() >= until) throw error;
    }
  }
}
