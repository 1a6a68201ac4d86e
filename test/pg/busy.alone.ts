import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { fill, makePool, settled, startServers } from './support.js';

/** `BUSY_SECONDS=60` for a longer look. */
const SECONDS = Number(process.env['BUSY_SECONDS'] ?? 10);
const BUSY_CLIENTS = 50;
const POOL_SIZE = 10;

let lab: Lab;

beforeAll(async () => {
  lab = await startServers({ hosts: 1, postgres: { settings: { max_connections: '100', jit: 'off' } } });
}, 60_000);
afterAll(async () => {
  await lab?.close();
});

/** Keeps a processor busy until it is told to end. */
class BusyClient {
  readonly #client: pg.Client;
  #running: Promise<void> | undefined;
  #ended = false;

  constructor() {
    const { address, port } = lab.hosts[0]!.database;
    this.#client = new pg.Client({ ...lab.connection, host: address, port });
  }

  async start(): Promise<void> {
    await this.#client.connect();
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
    await this.#client.end();
  }

  async #run(): Promise<void> {
    while (!this.#ended) await this.#client.query('select sum(sqrt(n)) from generate_series(1, 200000) as n');
  }
}

it.each([
  ['with one long query and many short ones', 1],
  ['with long queries only, so that the server has to be asked whether it lives', POOL_SIZE],
])(
  `a full pool %s, on a server with ${BUSY_CLIENTS} clients at work: nothing is cut for ${SECONDS} s`,
  async (_, longQueries) => {
    const pool = makePool(lab, { max: POOL_SIZE });
    const lost: unknown[] = [];
    pool.on('remove', () => lost.push('a connection was removed'));
    pool.endpoint!.on('suspect', ({ cause }) => lost.push(cause));
    await fill(pool);
    const busy = Array.from({ length: BUSY_CLIENTS }, () => new BusyClient());
    await Promise.all(busy.map((client) => client.start()));
    const before = lab.hosts[0]!.accepted;
    const until = performance.now() + SECONDS * 1_000;
    const long = Array.from({ length: longQueries }, () => settled(pool.query('select pg_sleep($1)', [SECONDS])));
    const work = async (): Promise<number> => {
      let done = 0;
      while (performance.now() < until) {
        await pool.query('select sum(n) from generate_series(1, 20000) as n');
        done++;
      }
      return done;
    };
    const done = await Promise.all(Array.from({ length: POOL_SIZE + 5 }, work));
    for (const { error } of await Promise.all(long)) expect(error).toBeUndefined();
    await Promise.all(busy.map((client) => client.end()));
    expect(done.every((count) => count > 0)).toBe(true);
    expect(lost).toEqual([]);
    expect(pool.totalCount).toBe(POOL_SIZE);
    const probes = lab.hosts[0]!.accepted - before;
    process.stdout.write(`busy: ${done.reduce((sum, n) => sum + n, 0)} statements, ${probes} logins to ask\n`);
    await pool.end();
  },
  SECONDS * 1_000 + 30_000,
);
