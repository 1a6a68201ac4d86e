import { join } from 'node:path';
import stock from 'pg';
import type pg from 'pg';
import type { Pool as OurPool } from '../../src/pg/index.js';
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
  type PgCall,
  type PgOptions,
  type PgProgram,
  type Release,
  type Statement,
  STATEMENTS,
  type Next,
} from './pg-program.js';

type Query = (text: unknown, values?: unknown, callback?: unknown) => unknown;
interface Lease {
  readonly client: pg.PoolClient;
  readonly release: (error?: Error | boolean) => void;
}

export async function performPg(program: PgProgram, side: Side, stage: Stage, course: Course): Promise<void> {
  const pool = await makePool(program.options, side, stage);
  await new PgPerformance(pool, program.options, stage, course).perform(program);
}

async function makePool(options: PgOptions, side: Side, stage: Stage): Promise<pg.Pool> {
  const { login, port, address, name, library, dnsServers } = stage;
  const { onConnect: _onConnect, verify: _verify, listenError: _listen, ...rest } = options;
  if (side === 'stock') return new stock.Pool({ ...login, port, host: address, ...rest, ...hooks(options) });
  const { Pool } = (await import(join(library, 'pg', 'index.js'))) as { readonly Pool: typeof OurPool };
  const follow = { servers: dnsServers, intervalMillis: 2 ** 31 - 1 };
  const failover = { silenceMillis: SILENCE_MILLIS };
  return new Pool({ ...login, port, host: name, ...rest, ...hooks(options), follow, failover });
}

function hooks({ onConnect, verify }: PgOptions): pg.PoolConfig {
  let [connected, verified] = [0, 0];
  const onConnectHook = (client: pg.ClientBase): unknown => {
    connected++;
    if (onConnect === 'first fails' && connected === 1) throw new Error('the hook failed');
    if (onConnect === 'async') return Promise.resolve();
    return onConnect === 'query' ? client.query(STATEMENTS.session.text) : undefined;
  };
  const verifyHook = (_client: unknown, done: (error?: Error) => void): void => {
    verified++;
    const error = verify === 'first fails' && verified === 1 ? new Error('not verified') : undefined;
    if (verify === 'at once') done(error);
    else setImmediate(() => done(error));
  };
  return {
    ...(onConnect === undefined ? {} : { onConnect: onConnectHook }),
    ...(verify === undefined ? {} : { verify: verifyHook }),
  };
}

class PgPerformance {
  readonly #course: Course;
  readonly #leases: Lease[] = [];
  readonly #pool: pg.Pool;
  readonly #options: PgOptions;
  readonly #stage: Stage;

  constructor(pool: pg.Pool, options: PgOptions, stage: Stage, course: Course) {
    this.#pool = pool;
    this.#options = options;
    this.#stage = stage;
    this.#course = course;
    course.counters = () =>
      `${pool.totalCount} ${pool.idleCount} ${pool.waitingCount} ${pool.expiredCount}` +
      `${pool.ending ? ' ending' : ''}${pool.ended ? ' ended' : ''}`;
  }

  async perform({ calls }: PgProgram): Promise<void> {
    const { wire } = this.#stage;
    const { endpoint } = this.#pool as Partial<OurPool>;
    wire.isBusy = () => endpoint?.state === 'resolving' && this.#pool.totalCount > 0;
    wire.seen = () => this.#course.entries.length;
    this.#listen();
    await play<PgCall>(this.#stage, calls, (call, number) => this.#make(call, number));
    await finish(this.#stage, this.#course, {
      giveBack: () => {
        const leases = this.#leases.splice(0);
        for (const lease of leases) this.#release(0, lease, 'plain');
        return leases.length > 0;
      },
      end: () => {
        if (!this.#pool.ending) this.#make({ do: 'end', how: 'promise' }, 0);
      },
    });
  }

  #listen(): void {
    const [pool, course] = [this.#pool, this.#course];
    const name = (client: unknown): string => course.nameOf('client ', client);
    pool.on('connect', (client) => course.note(`event connect ${name(client)}`));
    pool.on('acquire', (client) => course.note(`event acquire ${name(client)}`));
    pool.on('remove', (client) => course.note(`event remove ${name(client)}`));
    pool.on('release', (error: unknown, client) => {
      course.note(`event release ${error instanceof Error ? error.message : String(error)} ${name(client)}`);
    });
    if (this.#options.listenError) pool.on('error', (error) => course.note(`event error ${failure(error)}`));
  }

  #make(call: PgCall, number: number): void {
    const label = `${number} ${call.do}`;
    try {
      this.#dispatch(call, number, label);
    } catch (error) {
      this.#course.note(`${label} threw ${failure(error)}`);
    }
  }

  #dispatch(call: PgCall, number: number, label: string): void {
    const pool = this.#pool as pg.Pool & Partial<OurPool>;
    switch (call.do) {
      case 'query':
        return this.#query(pool.query.bind(pool) as Query, call.what, call.how, number, label);
      case 'connect':
        return this.#connect(call.how, label, (lease) => this.#use(lease, call.next, call.what, number));
      case 'on a lease': {
        const lease = this.#leases[call.lease % (this.#leases.length || 1)];
        if (lease === undefined) return;
        return this.#query(lease.client.query.bind(lease.client) as Query, call.what, call.how, number, label);
      }
      case 'release': {
        const [lease] = this.#leases.splice(call.lease % (this.#leases.length || 1), 1);
        return lease === undefined ? undefined : this.#release(number, lease, call.how);
      }
      case 'transaction':
        return this.#promised(
          label,
          untilTurnIsOver(() => this.#transaction(call.ends, number)),
        );
      case 'pause and resume':
        pool.pause?.().catch(() => {});
        return pool.resume?.();
      case 'end':
        return this.#end(call.how, label);
    }
  }

  #promised(label: string, promise: Promise<unknown>, text: (value: unknown) => string = resultText): void {
    this.#course.promised(label, promise, text);
  }

  #query(query: Query, what: Statement, how: 'promise' | 'callback' | 'config', number: number, label: string): void {
    const { text, values, ...more } = this.#statement(what, number);
    const isPlain = Object.keys(more).length === 0;
    const first = isPlain && how !== 'config' ? text : { text, ...more, ...(values === undefined ? {} : { values }) };
    const second = isPlain && how !== 'config' ? values : undefined;
    if (how === 'callback') {
      const told = this.#course.told(label, resultText);
      void (second === undefined ? query(first, told) : query(first, second, told));
    } else this.#promised(label, query(first, second) as Promise<unknown>);
  }

  #statement(what: Statement, number: number): { text: string; values?: readonly unknown[] } {
    if (what === 'insert') return { text: STATEMENTS.insert.text, values: [this.#course.run, number] };
    return STATEMENTS[what];
  }

  #connect(how: 'promise' | 'callback', label: string, use: (lease: Lease) => void): void {
    const pool = this.#pool;
    const text = (client: unknown): string => `got ${this.#course.nameOf('client ', client)}`;
    if (how === 'callback') {
      const told = this.#course.told(label, text);
      pool.connect((error, client, release) => {
        told(error, client);
        if (client !== undefined) use({ client, release });
      });
      return;
    }
    const connecting = pool.connect();
    this.#promised(label, connecting, text);
    connecting.then(
      (client) => use({ client, release: (error) => client.release(error) }),
      () => {},
    );
  }

  #use(lease: Lease, next: Next, what: Statement, number: number): void {
    const release = (how: Release): void => this.#release(number, lease, how);
    switch (next) {
      case 'hold':
        this.#leases.push(lease);
        return;
      case 'release':
        return release('plain');
      case 'destroy':
        return release('true');
      case 'release later':
        setImmediate(() => release('plain'));
        return;
      default: {
        const query = (text: unknown, values: unknown, told: (error: unknown, value: unknown) => void): void => {
          lease.client.query(text as string, values as unknown[], (error: unknown, value: unknown) => {
            told(error, value);
            release(next === 'query, release' ? 'plain' : 'true');
          });
        };
        const { text, values, ...more } = this.#statement(what, number);
        query({ text, ...more }, values, this.#course.told(`${number} query on the client`, resultText));
      }
    }
  }

  #release(number: number, { client, release }: Lease, how: Release): void {
    try {
      if (how === 'plain' || how === 'twice') release();
      if (how === 'true') release(true);
      if (how === 'error') release(new Error(`released by ${number}`));
      if (how === 'twice') release();
      if (how !== 'ended') return;
      this.#promised(`${number} client.end`, (client as unknown as pg.Client).end());
      release();
    } catch (error) {
      this.#course.note(`${number} release threw ${failure(error)}`);
    }
  }

  /** The pool's own, or by hand what it is to be the same as. */
  async #transaction(ends: Ends, number: number): Promise<unknown> {
    const work = async (tx: Pick<pg.ClientBase, 'query'>): Promise<unknown> => {
      await tx.query(STATEMENTS.insert.text, [this.#course.run, number]);
      if (ends === 'fail') await tx.query(STATEMENTS.wrong.text);
      if (ends === 'throw') throw new Error('thrown inside');
      return await tx.query(STATEMENTS.value.text);
    };
    const pool = this.#pool as pg.Pool & Partial<OurPool>;
    if (pool.transaction !== undefined) return await pool.transaction(work);
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const value = await work(client);
      await client.query('COMMIT');
      client.release(false);
      return value;
    } catch (error) {
      await client.query('ROLLBACK');
      client.release(false);
      throw error;
    }
  }

  #end(how: 'promise' | 'callback', label: string): void {
    if (how === 'callback') this.#pool.end(this.#course.told(label, () => 'ended') as () => void);
    else this.#promised(label, this.#pool.end(), () => 'ended');
  }
}

function resultText(value: unknown): string {
  const results = (Array.isArray(value) ? value : [value]) as Partial<pg.QueryResult>[];
  return results
    .map((one) => {
      const fields = one?.fields?.map(({ name }) => name).join(',') ?? '';
      return `${one?.command} ${one?.rowCount} (${fields}) ${JSON.stringify(one?.rows)}`;
    })
    .join('; ');
}
