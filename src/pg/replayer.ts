import type pg from 'pg';
import type { ReadFailoverOptions } from '../failover/options.js';
import { leaseAnswering, type Lost, lostSession, repeatIfAbandoned, tellReplay } from '../failover/repeat.js';
import { calledNames, onlyReads } from '../outcome/reads.js';
import { type Again, outcomeOfRun, replayOf } from '../outcome/replay.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isNeverWritten, isTimeOut } from './driver-words.js';
import { lenderOf } from './lender.js';
import { socketOf } from './handshake.js';
import { isUnqueryable, parseOnly, usesSimpleProtocol } from './internals.js';
import { uptimeOf } from './uptime.js';

export type Done = (error: Error | undefined, result?: unknown) => void;

export interface ReplayerOptions {
  readonly pool: pg.Pool;
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  /** pg-pool's own `query` of this pool. */
  readonly query: (text: unknown, values: unknown, done: Done) => void;
  /** Who comes within the call was served before, and lost its connection. */
  readonly ahead: <T>(call: () => T) => T;
}

declare module 'pg' {
  interface QueryConfig {
    /**
     * For `pool.query`: a second run does no harm, so that it may be run again, at most once, if its connection is lost
     * and the server that ran it is gone.
     */
    idempotent?: boolean | undefined;
  }
}

/** A statement as `pool.query` got it. */
export interface Given {
  readonly text: unknown;
  readonly values: unknown;
}

interface Statement extends Given {
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

  /** A lease was given back with an error; `true`, or whatever else is none, is a caller's own way to say so. */
  released(error: unknown, client: pg.PoolClient): void {
    if (!(error instanceof Error)) this.#failedLease = null;
    else {
      // A value that cannot be sent, a type parser, a hook: where the connection lives, it is no loss of it.
      const said = 'severity' in error;
      const isLost = isUnqueryable(client) || said;
      const outcome = isLost ? outcomeOfRun(error, !isNeverWritten(error)) : undefined;
      const socket = socketOf(client);
      const session = socket === undefined ? null : lostSession(socket, said, this.#options.endpoint.clock.now());
      this.#failedLease = { error, outcome, session };
    }
  }

  /** A statement failed: its caller is told so, unless it is run again. */
  failed(error: Error, text: unknown, values: unknown, done: Done): void {
    const lease = this.#failedLease;
    this.#failedLease = null;
    const sql = sqlOf(text);
    // Without a lease it failed while it waited for one, which has rules of its own.
    if (lease?.error !== error || sql === null) return done(error);
    const { outcome } = lease;
    const { replay, role } = this.#options.failover;
    const idempotent = (text as { idempotent?: unknown }).idempotent === true;
    const reads = (): boolean => onlyReads(sql, 'postgres');
    const plan = replayOf({ outcome, timedOut: isTimeOut(error), replay, role, idempotent, reads });
    const statement = { text, values, sql };
    switch (plan.kind) {
      case 'none':
        return done(error);
      case 'again':
        tellReplay(this.#options.endpoint, sql, plan, lease);
        return this.#options.ahead(() => this.#options.query(text, values, done));
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
    const { pool, endpoint, failover, ahead } = this.#options;
    const lender = { ...lenderOf(pool), lease: () => ahead(() => pool.connect()) };
    const reads = plan.why === 'reads';
    const first = reads ? 'BEGIN READ ONLY' : '';
    return await repeatIfAbandoned(endpoint, lost, {
      lease: () => leaseAnswering(lender, first, endpoint.clock, failover.deadlineMillis),
      run: async (client) => {
        if (reads) await prove(client, statement);
        tellReplay(endpoint, statement.sql, plan, lost);
        return await client.query(configOf(statement), statement.values as unknown[]);
      },
      socketOf: (client) => socketOf(client),
      uptime: (client) => uptimeOf(client),
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

/**
 * A volatile function that is an extension's, or in a language that is not checked by the server, may act on something
 * outside the transaction, which READ ONLY does not see. Those that come with the server are on a list instead.
 */
const ACTS_OUTSIDE = `
  select from pg_catalog.pg_proc as p join pg_catalog.pg_language as l on l.oid = p.prolang
  where p.proname = any($1) and p.provolatile = 'v' and p.pronamespace <> 'pg_catalog'::regnamespace
    and p.proname !~ '^(uuid_generate_|gen_random_|gen_salt$|pgp_|pg_stat_statements)'
    and (l.lanname not in ('internal', 'sql', 'plpgsql') or exists (
      select from pg_catalog.pg_depend as d
      where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'))
  limit 1`;

/**
 * What the server itself knows better than a look at the text: that it is one statement, and what it calls. In the
 * simple protocol several would run one after the other, and could leave the READ ONLY transaction.
 * @throws what the server says against it
 */
async function prove(client: pg.PoolClient, { text, values, sql }: Statement): Promise<void> {
  if (usesSimpleProtocol(text, values)) await parseOnly(client, sql);
  const names = calledNames(sql);
  if (names.length === 0) return;
  const { rowCount } = await client.query(ACTS_OUTSIDE, [names]);
  if (rowCount !== 0) throw new Error('it calls a function that may act on something outside of the database');
}

/** Null for what is no statement of pg's own, such as a cursor or a stream. */
function sqlOf(text: unknown): string | null {
  if (typeof text === 'string') return text;
  const { submit, text: own } = (text ?? {}) as { readonly submit?: unknown; readonly text?: unknown };
  return typeof submit !== 'function' && typeof own === 'string' ? own : null;
}

/**
 * Protocol, row mode, types, name and whatever else is given stay, also where they are accessors of a class; pg up to
 * 8.23.0 leaves the callback of the first run in it.
 */
function configOf({ text, sql }: Statement): pg.QueryConfig {
  const given: object = typeof text === 'object' && text !== null ? text : {};
  const free = { writable: true, enumerable: true, configurable: true };
  return Object.create(Object.getPrototypeOf(given) as object, {
    ...Object.getOwnPropertyDescriptors(given),
    text: { value: sql, ...free },
    callback: { value: undefined, ...free },
  }) as pg.QueryConfig;
}
