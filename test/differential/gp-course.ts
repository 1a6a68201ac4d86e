import genericPool from 'generic-pool';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import type * as Ours from '../../src/generic-pool/index.js';
import { type Course, finish, play, type Side, type Stage } from './course.js';
import type { GiveBack, GpCall, GpOptions, GpProgram, Next } from './gp-program.js';

type Pool = genericPool.Pool<pg.Client> & Partial<Pick<Ours.Pool<pg.Client>, 'endpoint'>>;
/** How a factory reaches its server: what ours hands to it. */
type Way = Partial<Pick<Ours.Target, 'connect' | 'address' | 'lookup'>>;

export async function performGp(program: GpProgram, side: Side, stage: Stage, course: Course): Promise<void> {
  const pool = await makePool(program.options, side, stage, course);
  await new GpPerformance(pool, stage, course).perform(program);
}

async function makePool({ valid, by, ...rest }: GpOptions, side: Side, stage: Stage, course: Course): Promise<Pool> {
  const { port, name, library, dnsServers } = stage;
  const factory = new Factory(stage, course, valid, by);
  if (side === 'stock') return genericPool.createPool(factory.methods(), rest);
  const { createPool } = (await import(join(library, 'generic-pool', 'index.js'))) as typeof Ours;
  const follow = { servers: dnsServers, intervalMillis: 2 ** 31 - 1 };
  return createPool(factory.methods(), { ...rest, host: name, port, follow });
}

/** Clients of PostgreSQL. */
class Factory {
  readonly #stage: Stage;
  readonly #course: Course;
  readonly #valid: readonly boolean[];
  readonly #by: GpOptions['by'];
  #asked = 0;

  constructor(stage: Stage, course: Course, valid: readonly boolean[], by: GpOptions['by']) {
    this.#stage = stage;
    this.#course = course;
    this.#valid = valid;
    this.#by = by;
  }

  methods(): Ours.Factory<pg.Client> & genericPool.Factory<pg.Client> {
    const name = (client: pg.Client): string => this.#course.nameOf('client ', client);
    return {
      create: async (way?: Way) => {
        const { login, port } = this.#stage;
        const client = new pg.Client({ ...login, host: this.#stage.address, port, stream: () => this.#socket(way) });
        client.on('error', () => {});
        await client.connect();
        this.#course.note(`created ${name(client)}`);
        return client;
      },
      destroy: async (client) => {
        this.#course.note(`destroy ${name(client)}`);
        await client.end();
        this.#course.note(`destroyed ${name(client)}`);
      },
      validate: (client) => {
        const valid = this.#valid[this.#asked++ % this.#valid.length]!;
        this.#course.note(`validate ${name(client)}: ${valid}`);
        return Promise.resolve(valid);
      },
    };
  }

  #socket(way: Way = {}): Socket {
    const { address: host, port, name } = this.#stage;
    if (way.connect !== undefined && this.#by === 'connect') return way.connect();
    const { lookup } = way;
    const to = lookup !== undefined && this.#by === 'lookup' ? { host: name, lookup } : { host: way.address ?? host };
    const socket = connect({ port, ...to } as Parameters<typeof connect>[0] & object);
    // pg dials what it is given, and this one is dialling.
    return Object.assign(socket, { connect: () => socket });
  }
}

class GpPerformance {
  readonly #course: Course;
  readonly #leases: pg.Client[] = [];
  readonly #pool: Pool;
  readonly #stage: Stage;
  #drained: PromiseLike<void> | null = null;

  constructor(pool: Pool, stage: Stage, course: Course) {
    this.#pool = pool;
    this.#stage = stage;
    this.#course = course;
    course.counters = () =>
      `${pool.size} ${pool.available} ${pool.borrowed} ${pool.pending} ${pool.spareResourceCapacity}`;
  }

  async perform({ calls }: GpProgram): Promise<void> {
    const { wire } = this.#stage;
    const [pool, course] = [this.#pool, this.#course];
    wire.isBusy = () => pool.endpoint?.state === 'resolving' && pool.size > 0;
    wire.seen = () => course.entries.length;
    for (const event of ['factoryCreateError', 'factoryDestroyError'] as const) {
      pool.on(event, (error) => course.note(`event ${event} ${error.message}`));
    }
    course.note(`min ${pool.min}, max ${pool.max}`);
    await play<GpCall>(this.#stage, calls, (call, number) => this.#make(call, number));
    await finish(this.#stage, course, {
      giveBack: () => {
        const leases = this.#leases.splice(0);
        for (const lease of leases) this.#giveBack(0, lease, 'release');
        return leases.length > 0;
      },
      end: () => this.#end(),
    });
  }

  #make(call: GpCall, number: number): void {
    const label = `${number} ${call.do}`;
    const [pool, course] = [this.#pool, this.#course];
    switch (call.do) {
      case 'acquire':
        return this.#acquire(call.priority, call.next, number, label);
      case 'use': {
        const sql = { value: 'select 1 as one', held: 'select /* held 300 */ 1 as held', fails: 'selec' }[call.work];
        const use = (client: pg.Client): Promise<unknown> => client.query(sql).then(({ rows }) => rows);
        // generic-pool's types know nothing of a priority here.
        const used = (pool.use as (use: unknown, priority?: number) => unknown).call(pool, use, call.priority);
        return course.promised(label, used as PromiseLike<string>, (rows) => JSON.stringify(rows));
      }
      case 'give back': {
        const [lease] = this.#leases.splice(call.lease % (this.#leases.length || 1), 1);
        return lease === undefined ? undefined : this.#giveBack(number, lease, call.how);
      }
      case 'give back another thing':
        course.promised(`${label} (release)`, pool.release(new pg.Client()), () => 'done');
        return course.promised(`${label} (destroy)`, pool.destroy(new pg.Client()), () => 'done');
      case 'ready':
        return course.promised(label, pool.ready(), () => 'done');
      case 'start':
        return pool.start();
      case 'drain':
        this.#drained = pool.drain();
        return course.promised(label, this.#drained, () => 'done');
      case 'clear':
        return course.promised(label, pool.clear(), () => 'done');
    }
  }

  #acquire(priority: number | undefined, next: Next, number: number, label: string): void {
    const acquired = this.#pool.acquire(priority);
    this.#course.promised(label, acquired, (client) => {
      const borrowed = this.#pool.isBorrowedResource(client as pg.Client);
      return `got ${this.#course.nameOf('client ', client)}${borrowed ? '' : ', which is not borrowed'}`;
    });
    acquired.then(
      (client) => this.#use(client, next, number),
      () => {},
    );
  }

  #use(client: pg.Client, next: Next, number: number): void {
    switch (next) {
      case 'hold':
        this.#leases.push(client);
        return;
      case 'release':
      case 'destroy':
        return this.#giveBack(number, client, next);
      case 'release later':
        setImmediate(() => this.#giveBack(number, client, 'release'));
        return;
      default: {
        const back = (): void => this.#giveBack(number, client, next === 'use, release' ? 'release' : 'destroy');
        const querying = client.query('select 1 as one');
        this.#course.promised(`${number} query`, querying, () => 'done');
        querying.then(back, back);
      }
    }
  }

  #giveBack(number: number, client: pg.Client, how: GiveBack): void {
    const [pool, course] = [this.#pool, this.#course];
    for (const [i, method] of how.replace('release twice', 'release, release').split(', ').entries()) {
      const done = pool[method as 'release' | 'destroy'](client);
      course.promised(`${number} ${method} ${i}`, done, () => 'done');
    }
  }

  #end(): void {
    const [pool, course] = [this.#pool, this.#course];
    const drained = this.#drained ?? pool.drain();
    const cleared = Promise.resolve(drained).then(() => pool.clear());
    course.promised('0 drain and clear', cleared, () => 'done');
  }
}
