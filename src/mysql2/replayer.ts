import type * as mysql from 'mysql2';
import type { ReadFailoverOptions } from '../failover/options.js';
import { leaseAnswering, type Lost, repeatIfAbandoned, tellReplay } from '../failover/repeat.js';
import { onlyReads } from '../outcome/reads.js';
import { type Again, outcomeOfRun, replayOf } from '../outcome/replay.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { LostSession } from '../sockets/uptime.js';
import { isTimeOut } from './driver-words.js';
import { type GetCallback, hasTimedOut, type ResultCallback } from './internals.js';
import { lenderOf, type Result, settled } from './leases.js';
import { uptimeOf } from './uptime.js';

/** A statement as `pool.query` or `pool.execute` got it. */
export interface Given {
  readonly method: 'query' | 'execute';
  readonly sql: unknown;
  readonly values: unknown;
  /** What was sent: with its values in it, unless it was prepared. */
  readonly sent: () => unknown;
}

export interface ReplayerOptions {
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  readonly get: (callback: GetCallback) => void;
  /** The session in which the statement ran that was lost with this error; null if it was given to no connection. */
  readonly lostWith: (error: Error) => LostSession | null;
  /** Undefined once the connection is closed. */
  readonly socketOf: (connection: mysql.PoolConnection) => TrackedSocket | undefined;
  /** The application puts values into statements in a way of its own (`queryFormat`). */
  readonly ownFormat: boolean;
  /** Runs it on a connection of the pool, once. */
  readonly run: (given: Given, told: ResultCallback) => void;
}

const FREE = 'DO 0';
const READ_ONLY = 'START TRANSACTION READ ONLY';

/** Design, pools rule 5: what of `pool.query` is run again when its connection is lost. It costs nothing until then. */
export class Replayer {
  readonly #options: ReplayerOptions;

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** It failed: runs it again, or tells its caller. */
  failed(given: Given, error: NodeJS.ErrnoException, told: ResultCallback): void {
    const session = this.#options.lostWith(error);
    // Without a connection it failed while it waited for one, which has rules of its own.
    if (session === null) return told(error);
    const { replay, role } = this.#options.failover;
    const lost: Lost = { error, outcome: outcomeOfRun(error, true), session };
    const plan = replayOf({
      outcome: lost.outcome,
      timedOut: isTimeOut(error),
      replay,
      role,
      idempotent: (given.sql as { idempotent?: unknown }).idempotent === true,
      reads: () => onlyReads(meaningOf(given, this.#options.ownFormat), 'mysql'),
    });
    switch (plan.kind) {
      case 'none':
        return told(error);
      case 'again':
        tellReplay(this.#options.endpoint, textOf(given), plan, lost);
        return this.#options.run(given, told);
      case 'if-abandoned':
        void this.#repeat(given, plan, lost).then(
          ({ rows, fields }) => process.nextTick(told, null, rows, fields),
          () => process.nextTick(told, error),
        );
    }
  }

  /** Rejects with anything if it could not be repeated, or the repetition failed: its caller gets the first error. */
  async #repeat(given: Given, plan: Again, lost: Lost): Promise<Result> {
    const { endpoint, failover, get, socketOf } = this.#options;
    const reads = plan.why === 'reads';
    return await repeatIfAbandoned(endpoint, lost, {
      lease: () => leaseAnswering(lenderOf(get), reads ? READ_ONLY : FREE, endpoint.clock, failover.deadlineMillis),
      run: (connection) => {
        tellReplay(endpoint, textOf(given), plan, lost);
        return settled((told) => runOn(connection, given, told));
      },
      socketOf,
      uptime: (connection) => uptimeOf(connection),
      giveBack: (connection) => giveBack(connection, reads),
    });
  }
}

/** Everything that came with the statement goes with it again: row mode, type casts, placeholders, values. */
function runOn(connection: mysql.PoolConnection, { method, sql, values }: Given, told: ResultCallback): void {
  const run = connection[method].bind(connection) as (sql: unknown, values: unknown, told: ResultCallback) => unknown;
  run(sql, values, told);
}

/** Whatever a function in it did within its transaction is undone. After a time-out, the release closes it. */
function giveBack(connection: mysql.PoolConnection, inTransaction: boolean): void {
  if (inTransaction && !hasTimedOut(connection))
    connection.query('ROLLBACK', (error) => (error == null ? connection.release() : connection.destroy()));
  else connection.release();
}

function textOf({ sql }: Given): string {
  return String(typeof sql === 'object' && sql !== null ? (sql as { sql?: unknown }).sql : sql);
}

/**
 * The text that tells what the statement does. Values that are plain become literals, whatever is in them; an object may
 * bring SQL of its own, and `??` names.
 */
function meaningOf(given: Given, ownFormat: boolean): string {
  const text = textOf(given);
  if (given.method === 'execute') return text;
  const inOptions = (given.sql as { values?: unknown }).values;
  return ownFormat || text.includes('??') || !isPlain(given.values ?? inOptions, 0) ? String(given.sent()) : text;
}

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  if (value instanceof Date || Buffer.isBuffer(value)) return true;
  if (Array.isArray(value)) return depth < 2 && value.every((each) => isPlain(each, depth + 1));
  // Named placeholders.
  return (
    depth === 0 &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every((each) => isPlain(each, 1))
  );
}
