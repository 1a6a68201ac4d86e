import type { Clock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import type { MoveEvent } from '../endpoint/endpoint-events.js';
import { isEipPoolError } from '../errors.js';
import { outcomeOf } from '../outcome/outcome.js';
import type { Again } from '../outcome/replay.js';
import type { Endpoint } from '../sockets/endpoint.js';

/** How a driver lends its connections. */
export interface Lender<Connection> {
  lease(): Promise<Connection>;
  ask(connection: Connection, statement: string): Promise<unknown>;
  /** Closes one that broke. */
  discard(connection: Connection): void;
}

/**
 * A connection to a server that answers: the first statement proves it, and where its connection breaks another one is
 * taken, since a pool learns only one after the other that the connections to a dead server are gone.
 * @throws what the pool or the server said, or what the last connection failed with after `withinMillis`
 */
export async function leaseAnswering<Connection>(
  { lease, ask, discard }: Lender<Connection>,
  first: string,
  clock: Clock,
  withinMillis: number,
): Promise<Connection> {
  const until = clock.now() + withinMillis;
  for (;;) {
    const connection = await lease();
    try {
      await ask(connection, first);
      return connection;
    } catch (error) {
      discard(connection);
      if (outcomeOf(error) === undefined || clock.now() >= until) throw error;
    }
  }
}

/** A statement whose connection was lost. */
export interface Lost {
  readonly error: Error;
  /** Where it ran; null if nobody knows. */
  readonly address: Address | null;
}

/** How it is repeated. */
export interface Repetition<Connection, Result> {
  /** A good connection, however long that takes. */
  lease(): Promise<Connection>;
  run(connection: Connection): Promise<Result>;
  giveBack(connection: Connection): Promise<void> | void;
}

/**
 * Design, pools rule 5: repeats it if, once there is a good connection, the name has left its address, or the server
 * there was judged dead. Rejects with anything if that is not so, or it could not be done.
 */
export async function repeatIfAbandoned<Connection, Result>(
  endpoint: Endpoint,
  { error, address }: Lost,
  { lease, run, giveBack }: Repetition<Connection, Result>,
): Promise<Result> {
  let left = isDead(error) || address === null || !endpoint.has(address);
  const onMove = ({ to }: MoveEvent): void => void (left ||= !to.includes(address ?? ''));
  endpoint.on('move', onMove);
  try {
    const connection = await lease();
    try {
      if (!left) throw error;
      return await run(connection);
    } finally {
      await giveBack(connection);
    }
  } finally {
    endpoint.off('move', onMove);
  }
}

function isDead(error: Error): boolean {
  return isEipPoolError(error) && error.code === 'ADDRESS_DEAD';
}

/** The event `replay`: of the statement its first word, never a value. */
export function tellReplay(endpoint: Endpoint, sql: string, { why }: Again, error: Error): void {
  const outcome = outcomeOf(error) ?? 'unknown';
  const [statement = ''] = /[a-z]+/i.exec(sql) ?? [];
  endpoint.noteReplay(() => ({ outcome, why, statement: statement.toLowerCase(), error }));
}
