import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Pool } from '../../src/pg/index.js';
import { configOf, fill, kill, makePool, next, portOf, resetLab, settled, startServers } from './support.js';

const run = promisify(execFile);
let lab: Lab;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
afterEach(async () => {
  await resetLab(lab);
});
afterAll(async () => {
  await lab?.close();
});

describe('end()', () => {
  it('waits for what is leased, and rejects who waits for a lease', async () => {
    const pool = makePool(lab, { max: 1 });
    const client = await pool.connect();
    const waiting = settled(pool.connect());
    const ended = pool.end();
    expect((await waiting).error).toMatchObject({ code: 'POOL_ENDED' });
    expect((await client.query('select 1')).rowCount).toBe(1);
    expect(pool.ended).toBe(false);
    client.release();
    await ended;
    expect(pool.endpoint!.state).toBe('closed');
  });

  it('lets a query finish that was started just before, as pg.Pool does', async () => {
    const pool = makePool(lab);
    const query = pool.query('select 1 as one');
    const ended = pool.end();
    expect((await query).rows).toEqual([{ one: 1 }]);
    await ended;
  });

  it('settles everybody while the name does not resolve', async () => {
    lab.dns.setMode({ kind: 'drop' });
    const pool = makePool(lab, { failover: { waitAtStart: true } });
    const waiting = [settled(pool.connect()), settled(pool.query('select 1'))];
    await next(pool.endpoint!, 'resolveError');
    await pool.end();
    for (const { error } of await Promise.all(waiting))
      expect(error?.code).toMatch(/POOL_ENDED|LOOKUP_TIMEOUT|ETIMEOUT/);
  });

  it('settles everybody while no server takes a connection', async () => {
    const pool = makePool(lab, { max: 2 });
    await fill(pool);
    const down = next(pool.endpoint!, 'down');
    await kill(lab, pool);
    const waiting = Array.from({ length: 5 }, () => settled(pool.connect()));
    await down;
    await pool.end();
    for (const { error } of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'POOL_ENDED' });
  });

  it('waits for leases that are draining on an address that was left', async () => {
    const pool = makePool(lab);
    const client = await pool.connect();
    const moved = next(pool.endpoint!, 'move');
    await lab.move(lab.hosts[1]!);
    await moved;
    const ended = pool.end();
    expect((await client.query<{ port: number }>('select inet_server_port() as port')).rows[0]!.port).toBe(
      portOf(lab, 0),
    );
    client.release();
    await ended;
  });

  it('does not wait for a server that has fallen silent', async () => {
    const pool = makePool(lab, { max: 3 });
    await fill(pool);
    lab.hosts[0]!.stall();
    await pool.end();
    await expect.poll(() => pool.endpoint!.snapshot().sockets.open).toBe(0);
  });

  it('calls back where a callback is given', async () => {
    const pool = makePool(lab);
    await pool.query('select 1');
    await new Promise<void>((resolve) => pool.end(resolve));
    expect(pool.ended).toBe(true);
  });
});

describe('a process', () => {
  const script = (body: string): string[] => [
    '--input-type=module',
    '--eval',
    `import { Pool } from ${JSON.stringify(new URL('../../dist/esm/pg/index.js', import.meta.url).href)};
     const config = JSON.parse(process.argv[1]); ${body}`,
    JSON.stringify(configOf(lab)),
  ];

  it('leaves no timer, socket or listener behind after a hundred pools', async () => {
    const { stdout } = await run(
      process.execPath,
      script(`
        const before = process.eventNames().map((name) => process.listenerCount(name)).join();
        for (let i = 0; i < 10; i++) {
          const pools = Array.from({ length: 10 }, () => new Pool({ ...config, follow: { ...config.follow, lookupTimeoutMillis: 20_000 } }));
          await Promise.all(pools.map((pool) => pool.query('select 1')));
          await Promise.all(pools.map((pool) => pool.end()));
        }
        const resources = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Query/i.test(kind));
        // A question that was on its way may be answered, or wait for its turn among ten a second.
        const until = performance.now() + 1_500;
        while (resources().length > 0 && performance.now() < until) await new Promise(setImmediate);
        const after = process.eventNames().map((name) => process.listenerCount(name)).join();
        const left = resources();
        console.log(JSON.stringify({ same: before === after, left }));
      `),
      { timeout: 60_000 },
    );
    expect(JSON.parse(stdout)).toEqual({ same: true, left: [] });
  }, 70_000);

  it('ends by itself after end()', async () => {
    const { stdout } = await run(
      process.execPath,
      script(`const pool = new Pool(config); await pool.query('select 1'); await pool.end(); console.log('ended');`),
      { timeout: 10_000 },
    );
    expect(stdout).toBe('ended\n');
  });

  it('ends by itself without end() once its connections have timed out, as with pg.Pool', async () => {
    await run(
      process.execPath,
      script(`const pool = new Pool({ ...config, idleTimeoutMillis: 50 }); await pool.query('select 1');`),
      { timeout: 10_000 },
    );
  });

  it('survives a failover in which nobody listens to anything', async () => {
    const { stdout } = await run(
      process.execPath,
      script(`
        const pool = new Pool({ ...config, failover: { deadlineMillis: 5_000, drainMillis: 0 } });
        const client = await pool.connect();
        process.stdin.once('data', () => {});
        const { rows } = await client.query('select pg_backend_pid() as pid');
        await Promise.all([1, 2, 3].map(() => pool.query('select 1')));
        await pool.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()');
        await new Promise((resolve) => setTimeout(resolve, 100));
        client.release();
        await pool.query('select 1');
        await pool.end();
        console.log('alive');
        process.exit(0);
      `),
      { timeout: 10_000 },
    );
    expect(stdout).toBe('alive\n');
  });

  it('that never uses its pool asks no DNS server and ends', async () => {
    const before = lab.dns.queries.length;
    await run(process.execPath, script(`new Pool(config);`), { timeout: 20_000 });
    expect(lab.dns.queries.length).toBe(before);
  });
});

it('a pool that is never used needs no end()', () => {
  expect(new Pool({ host: 'db.example.com' }).endpoint?.state).toBe('resolving');
});
