import type pg from 'pg';
import type { ReadFailoverOptions } from '../failover/options.js';
import { leaseAnswering, type Lost, repeatIfAbandoned, tellReplay } from '../failover/repeat.js';
import { outcomeOf } from '../outcome/outcome.js';
import { onlyReads } from '../outcome/reads.js';
import { type Again, replayOf } from '../outcome/replay.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isNeverWritten, isTimeOut } from './driver-words.js';
import { lenderOf } from './lender.js';
import { socketOf } from './handshake.js';

export type Done = (error: Error | undefined, result?: unknown) => void;

export interface ReplayerOptions {
  readonly pool: pg.Pool;
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  /** pg-pool's own `query` of this pool. */
  readonly query: (text: unknown, values: unknown, done: Done) => void;
}

declare module 'pg' {
  interface QueryConfig {
    /**
     * For `pool.query`: a second run does no harm, so that it may be run again, at most once, if its connection is lost
     * and the name has moved or the server was judged dead.
     */
    idempotent?: boolean | undefined;
  }
}

/** A statement as `pool.query` got it. */
interface Statement {
  readonly text: unknown;
  readonly values: unknown;
  readonly sql: string;
}

/** Design, pools rule 5: what of `pool.query` is run again when its connection is lost. It costs nothing until then. */
export class Replayer {
  readonly #options: ReplayerOptions;
  /** The last lease that was given back with an error, which is told to its statement right after. */
  #failedLease: Lost | null = null;

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** A lease was given back with an error; `true` is a caller's own way to say so. */
  released(error: Error | true, client: pg.PoolClient): void {
    this.#failedLease = error === true ? null : { error, address: socketOf(client)?.dialledAddress ?? null };
  }

  /** A statement failed: its caller is told so, unless it is run again. */
  failed(error: Error, text: unknown, values: unknown, done: Done): void {
    const lease = this.#failedLease;
    this.#failedLease = null;
    const sql = sqlOf(text);
    // Without a lease it failed while it waited for one, which has rules of its own.
    if (lease?.error !== error || sql === null) return done(error);
    const outcome = isNeverWritten(error) ? 'not-sent' : outcomeOf(error);
    const { replay, role } = this.#options.failover;
    const idempotent = (text as { idempotent?: unknown }).idempotent === true;
    const reads = (): boolean => onlyReads(sql, 'postgres');
    const plan = replayOf({ outcome, timedOut: isTimeOut(error), replay, role, idempotent, reads });
    const statement = { text, values, sql };
    switch (plan.kind) {
      case 'none':
        return done(error);
      case 'again':
        tellReplay(this.#options.endpoint, sql, plan, error);
        return this.#options.query(text, values, done);
      case 'if-abandoned':
        void this.#repeatFor(statement, plan, lease, done);
    }
  }

  async #repeatFor(statement: Statement, plan: Again, lost: Lost, done: Done): Promise<void> {
    try {
      const result = await this.#repeat(statement, plan, lost);
      // In a turn of its own, so that what a caller's callback throws is his.
      process.nextTick(done, undefined, result);
    } catch {
      process.nextTick(done, lost.error);
    }
  }

  /** Rejects with anything if it could not be repeated, or the repetition failed: its caller gets the first error. */
  async #repeat(statement: Statement, plan: Again, lost: Lost): Promise<unknown> {
    const { pool, endpoint, failover } = this.#options;
    const reads = plan.why === 'reads';
    const first = reads ? 'BEGIN READ ONLY' : '';
    return await repeatIfAbandoned(endpoint, lost, {
      lease: () => leaseAnswering(lenderOf(pool), first, endpoint.clock, failover.deadlineMillis),
      run: (client) => {
        tellReplay(endpoint, statement.sql, plan, lost.error);
        // The extended protocol takes one statement only.
        const how = reads ? { queryMode: 'extended' } : {};
        return client.query(configOf(statement, how), statement.values as unknown[]);
      },
      giveBack: (client) => giveBack(client, reads),
    });
  }
}

/** Whatever a function in it did within its transaction is undone. */
async function giveBack(client: pg.PoolClient, inTransaction: boolean): Promise<void> {
  try {
    if (inTransaction) await client.query('ROLLBACK');
    client.release();
  } catch {
    client.release(true);
  }
}

/** Null for what is no statement of pg's own, such as a cursor or a stream. */
function sqlOf(text: unknown): string | null {
  if (typeof text === 'string') return text;
  const { submit, text: own } = (text ?? {}) as { readonly submit?: unknown; readonly text?: unknown };
  return typeof submit !== 'function' && typeof own === 'string' ? own : null;
}

/** Row mode, types, name and whatever else is given stay; pg up to 8.23.0 leaves the callback of the first run in it. */
function configOf({ text, sql }: Statement, how: object): pg.QueryConfig {
  const config = typeof text === 'object' ? (text as object) : {};
  return Object.assign(Object.create(Object.getPrototypeOf(config) as object) as pg.QueryConfig, config, {
    ...how,
    text: sql,
    callback: undefined,
  });
}
