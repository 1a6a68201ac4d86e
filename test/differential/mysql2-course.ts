import { join } from 'node:path';
import stock from 'mysql2';
import type mysql from 'mysql2';
import type promise from 'mysql2/promise';
import type * as Ours from '../../src/mysql2/index.js';
import {
  type Course,
  type Ends,
  failure,
  finish,
  play,
  type Side,
  SILENCE_MILLIS,
  type Stage,
  untilTurnIsOver,
} from './course.js';
import {
  type How,
  type Method,
  type Mysql2Call,
  type Mysql2Options,
  type Mysql2Program,
  type Release,
  type Statement,
  STATEMENTS,
  type Next,
} from './mysql2-program.js';

type Told = (error: unknown, ...values: unknown[]) => void;
/** A pool and a connection of mysql2's alike, with and without promises. */
interface Runs {
  query(statement: unknown, ...more: unknown[]): unknown;
  execute(statement: unknown, ...more: unknown[]): unknown;
}
type Queue = { readonly length: number };

export async function performMysql2(program: Mysql2Program, side: Side, stage: Stage, course: Course): Promise<void> {
  const pool = await makePool(program.options, side, stage);
  await new Mysql2Performance(pool, stage, course).perform(program);
}

async function makePool(options: Mysql2Options, side: Side, stage: Stage): Promise<mysql.Pool> {
  const { login, port, address, name, library, dnsServers } = stage;
  if (side === 'stock') return stock.createPool({ ...login, port, host: address, ...options });
  const { createPool } = (await import(join(library, 'mysql2', 'index.js'))) as typeof Ours;
  const follow = { servers: dnsServers, intervalMillis: 2 ** 31 - 1 };
  const failover = { silenceMillis: SILENCE_MILLIS };
  return createPool({ ...login, port, host: name, ...options, follow, failover });
}

class Mysql2Performance {
  readonly #course: Course;
  readonly #leases: mysql.PoolConnection[] = [];
  readonly #pool: mysql.Pool & Partial<Pick<Ours.Pool, 'endpoint' | 'pause' | 'resume'>>;
  readonly #promised: promise.Pool;
  readonly #stage: Stage;
  #ended = false;

  constructor(pool: mysql.Pool, stage: Stage, course: Course) {
    this.#pool = pool;
    this.#promised = pool.promise();
    this.#stage = stage;
    this.#course = course;
    course.counters = () => `${this.#lengthOf('all')} ${this.#lengthOf('free')}`;
  }

  async perform({ calls }: Mysql2Program): Promise<void> {
    const { wire } = this.#stage;
    const [pool, course] = [this.#pool, this.#course];
    wire.isBusy = () => pool.endpoint?.state === 'resolving' && this.#lengthOf('all') > 0;
    wire.seen = () => course.entries.length;
    for (const event of ['connection', 'acquire', 'release'] as const) {
      pool.on(event, (connection) => course.note(`event ${event} ${this.#nameOf(connection)}`));
    }
    pool.on('enqueue', () => course.note('event enqueue'));
    await play<Mysql2Call>(this.#stage, calls, (call, number) => this.#make(call, number));
    await finish(this.#stage, course, {
      giveBack: () => {
        const leases = this.#leases.splice(0);
        for (const lease of leases) this.#release(0, lease, 'plain');
        return leases.length > 0;
      },
      end: () => {
        if (!this.#ended) this.#make({ do: 'end', how: 'callback' }, 0);
      },
    });
  }

  /** mysql2 shows its counters to nobody; of callers who wait it tells by an event. */
  #lengthOf(which: 'all' | 'free'): number {
    const own = this.#pool as unknown as Record<'_allConnections' | '_freeConnections', Queue>;
    return { all: own._allConnections, free: own._freeConnections }[which].length;
  }

  #nameOf(connection: unknown): string {
    return this.#course.nameOf('connection ', connection);
  }

  #make(call: Mysql2Call, number: number): void {
    const label = `${number} ${call.do}`;
    try {
      this.#dispatch(call, number, label);
    } catch (error) {
      this.#course.note(`${label} threw ${failure(error)}`);
    }
  }

  #dispatch(call: Mysql2Call, number: number, label: string): void {
    switch (call.do) {
      case 'statement':
        return this.#run(call.how === 'promise' ? this.#promised : this.#pool, call, label, number);
      case 'get':
        return this.#get(call.how, label, (lease) => this.#use(lease, call.next, call.what, number));
      case 'on a lease':
        return this.#onLease(call, label, number);
      case 'release': {
        const [lease] = this.#leases.splice(call.lease % (this.#leases.length || 1), 1);
        return lease === undefined ? undefined : this.#release(number, lease, call.how);
      }
      case 'transaction':
        return this.#course.promised(
          label,
          untilTurnIsOver(() => this.#transaction(call.ends, number)),
          resultText,
        );
      case 'pause and resume':
        this.#pool.pause?.().catch(() => {});
        return this.#pool.resume?.();
      case 'end':
        this.#ended = true;
        if (call.how === 'callback') this.#pool.end(this.#course.told(label, () => 'ended'));
        else this.#course.promised(label, this.#promised.end(), () => 'ended');
    }
  }

  #run(on: Runs, call: { method: Method; how: How; what: Statement }, label: string, number: number): void {
    const given = this.#statement(call.what, number);
    const run = (...more: unknown[]): unknown => on[call.method](...given, ...more);
    if (call.how === 'promise') this.#course.promised(label, run() as Promise<unknown>, resultText);
    else if (call.how === 'emitter' && call.method === 'query') this.#emitted(label, run() as mysql.Query);
    else run(this.#course.told(label, (...values) => resultText(values)));
  }

  /** What a query without a callback emits. */
  #emitted(label: string, query: mysql.Query): void {
    const course = this.#course;
    course.begun(label);
    query.on('error', (error) => course.note(`${label} emitted ${failure(error)}`));
    query.on('result', (row) => course.note(`${label} emitted ${JSON.stringify(row)}`));
    query.on('end', () => course.answered(label, 'emitted the end'));
  }

  #statement(what: Statement, number: number): [unknown, ...unknown[]] {
    const { sql, ...more }: { sql: string; values?: readonly unknown[] } = STATEMENTS[what];
    const values = what === 'insert' ? [this.#course.run, number] : more.values;
    const keys = Object.keys(more).filter((key) => key !== 'values');
    if (keys.length > 0) return [{ sql, ...more }];
    return values === undefined ? [sql] : [sql, values];
  }

  #get(how: 'promise' | 'callback', label: string, use: (lease: mysql.PoolConnection) => void): void {
    if (how === 'callback') {
      const told = this.#course.told(label, (connection) => `got ${this.#nameOf(connection)}`);
      this.#pool.getConnection((error, connection) => {
        told(error, connection);
        if (error === null) use(connection);
      });
      return;
    }
    // What a promise's holder gets is made anew for each lease; inside is the connection.
    const coreOf = (lease: unknown): mysql.PoolConnection =>
      (lease as { connection: unknown }).connection as mysql.PoolConnection;
    const getting = this.#promised.getConnection();
    this.#course.promised(label, getting, (lease) => `got ${this.#nameOf(coreOf(lease))}`);
    getting.then(
      (lease) => use(coreOf(lease)),
      () => {},
    );
  }

  #onLease(call: Mysql2Call & { readonly do: 'on a lease' }, label: string, number: number): void {
    const lease = this.#leases[call.lease % (this.#leases.length || 1)];
    if (lease === undefined) return;
    const { method, what } = call;
    if (method === 'query' || method === 'execute') {
      return this.#run(lease, { method, how: 'callback', what }, label, number);
    }
    const told: Told = this.#course.told(label, () => `${method} is done`);
    if (method === 'ping') lease.ping(told);
    else lease[method](told);
  }

  #use(lease: mysql.PoolConnection, next: Next, what: Statement, number: number): void {
    switch (next) {
      case 'hold':
        this.#leases.push(lease);
        return;
      case 'release':
        return this.#release(number, lease, 'plain');
      case 'destroy':
        return this.#release(number, lease, 'destroy');
      case 'release later':
        setImmediate(() => this.#release(number, lease, 'plain'));
        return;
      default: {
        const told = this.#course.told(`${number} query on the connection`, (...values) => resultText(values));
        (lease as unknown as Runs).query(...this.#statement(what, number), (error: unknown, ...values: unknown[]) => {
          told(error, ...values);
          this.#release(number, lease, next === 'query, release' ? 'plain' : 'destroy');
        });
      }
    }
  }

  #release(number: number, lease: mysql.PoolConnection, how: Release): void {
    try {
      if (how === 'plain' || how === 'twice') lease.release();
      if (how === 'twice') lease.release();
      if (how === 'destroy') lease.destroy();
      if (how === 'by the pool') this.#pool.releaseConnection(lease);
      if (how === 'end') lease.end(this.#course.told(`${number} connection.end`, () => 'ended'));
    } catch (error) {
      this.#course.note(`${number} release threw ${failure(error)}`);
    }
  }

  /** The pool's own, or by hand what it is to be the same as. */
  async #transaction(ends: Ends, number: number): Promise<unknown> {
    const work = async (tx: Pick<promise.Connection, 'query'>): Promise<unknown> => {
      await tx.query(STATEMENTS.insert.sql, [this.#course.run, number]);
      if (ends === 'fail') await tx.query(STATEMENTS.wrong.sql);
      if (ends === 'throw') throw new Error('thrown inside');
      return await tx.query(STATEMENTS.value.sql);
    };
    const pool = this.#promised as promise.Pool & { transaction?: (fn: typeof work) => Promise<unknown> };
    if (pool.transaction !== undefined) return await pool.transaction(work);
    const connection = await pool.getConnection();
    try {
      await connection.query('START TRANSACTION');
      const value = await work(connection);
      await connection.query('COMMIT');
      return value;
    } catch (error) {
      await connection.query('ROLLBACK');
      throw error;
    } finally {
      connection.release();
    }
  }
}

function resultText(value: unknown): string {
  const [rows, fields] = value as [unknown, unknown];
  const names = Array.isArray(fields) ? fields.map((field: unknown) => nameOfField(field)).join(',') : String(fields);
  return `(${names}) ${JSON.stringify(rows)}`;
}

function nameOfField(field: unknown): string {
  if (Array.isArray(field)) return `(${field.map((one: unknown) => nameOfField(one)).join(',')})`;
  return String((field as { name?: unknown } | undefined)?.name);
}
