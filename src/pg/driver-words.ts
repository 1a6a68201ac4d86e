import type pg from 'pg';
import { EipPoolError, isEipPoolError } from '../errors.js';

/** Gives a client back; with an error or `true`, to be closed. */
export type Release = (error?: Error | boolean) => void;

/** What pg-pool calls when it has a client, or will have none. */
export type ConnectCallback = (error: Error | undefined, client: pg.PoolClient | undefined, done: Release) => void;

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

/** What a client says of a statement that it did not write, since its connection had ended. */
const NEVER_WRITTEN: ReadonlySet<string> = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
]);

/** Of an error that no server sent: one may say the same. */
export function isNeverWritten(error: Error): boolean {
  return NEVER_WRITTEN.has(error.message) && !('severity' in error);
}

/** `query_timeout` of pg: the server may still be at work. */
export function isTimeOut(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout' && !('severity' in error);
}
