import type pg from 'pg';
import { EipPoolError, isEipPoolError } from '../errors.js';

/** What pg-pool calls when it has a client, or will have none. */
export type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** What pg-pool says; applications look for these. */
export const WAITED = 'timeout exceeded when trying to connect';
export const TERMINATED = 'Connection terminated due to connection timeout';

export function endedError(): EipPoolError {
  return new EipPoolError(
    'POOL_ENDED',
    'Cannot use a pool after calling end on the pool: it was ended while this caller waited',
  );
}

/** The name left the address while the connection was made: no failure of anything. */
export function isLeft(error: unknown): boolean {
  return isEipPoolError(error) && error.code === 'ADDRESS_LEFT';
}
