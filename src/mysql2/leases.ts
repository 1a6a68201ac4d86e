import type * as mysql from 'mysql2';
import type { Lender } from '../failover/repeat.js';
import type { GetCallback, ResultCallback } from './internals.js';

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

export function lenderOf(get: (callback: GetCallback) => void): Lender<mysql.PoolConnection> {
  return {
    lease: () => lease(get),
    ask: (connection, statement) => settled((told) => connection.query(statement, told)),
    discard: (connection) => connection.destroy(),
  };
}
