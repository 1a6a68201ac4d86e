import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import {
  configOf,
  end,
  fill,
  kill,
  lease,
  makePool,
  moved,
  next,
  onServers,
  portOf,
  resetLab,
  serverOf,
  settled,
  startServers,
} from './support.js';

const run = promisify(execFile);
let lab: Lab;

onServers('a pool of mysql2 that ends', () => {
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
    it('lets the statements that run finish, and rejects who waits for a lease', async () => {
      const pool = makePool(lab, { connectionLimit: 1 });
      const connection = await lease(pool);
      const running = connection.promise().query('select sleep(0.1) as slept');
      const waiting = settled(lease(pool));
      await end(pool);
      expect((await running)[0]).toEqual([{ slept: 0 }]);
      expect((await waiting).error?.message).toBe('Pool is closed.');
      expect((await settled(lease(pool))).error?.message).toBe('Pool is closed.');
      expect(pool.endpoint!.state).toBe('closed');
    });

    it('fails the second time as in mysql2, and the first call waits for its connections all the same', async () => {
      const pool = makePool(lab, { connectionLimit: 1 });
      const told: string[] = [];
      pool.getConnection((error) => told.push(error?.message ?? 'got one'));
      const first = new Promise<void>((resolve) => {
        pool.end(() => {
          told.push('ended');
          resolve();
        });
      });
      const second = await settled(
        new Promise<void>((resolve, reject) => pool.end((e) => (e ? reject(e) : resolve()))),
      );
      expect(second.error?.message).toBe("Can't add new command when connection is in closed state");
      expect(told).toEqual([]);
      await first;
      expect(told).toEqual(['Pool is closed.', 'ended']);
    });

    it('settles everybody while no server takes a connection', async () => {
      const pool = makePool(lab, { connectionLimit: 2 });
      await fill(pool, 2);
      const down = next(pool.endpoint!, 'down');
      await kill(lab, pool);
      const waiting = Array.from({ length: 5 }, () => settled(lease(pool)));
      await down;
      await end(pool);
      for (const { error } of await Promise.all(waiting)) expect(error?.message).toBe('Pool is closed.');
    });

    it('settles everybody while the name does not resolve', async () => {
      lab.dns.setMode({ kind: 'drop' });
      const pool = makePool(lab, { failover: { waitAtStart: true } });
      const waiting = [settled(lease(pool)), settled(pool.promise().query('select 1'))];
      await next(pool.endpoint!, 'resolveError');
      await end(pool);
      for (const { error } of await Promise.all(waiting)) expect(error?.message).toBe('Pool is closed.');
    });

    it('says goodbye to leases that are draining, too', async () => {
      const pool = makePool(lab, { follow: { intervalMillis: 100 } });
      const connection = await lease(pool);
      const seen = moved(pool);
      await lab.move(lab.hosts[1]!);
      await seen;
      expect(await serverOf(connection)).toBe(portOf(lab, 0));
      await end(pool);
      expect((await settled(connection.promise().query('select 1'))).error?.message).toMatch(/closed state/);
    });

    it('does not wait for a server that has fallen silent, and throws nothing', async () => {
      const pool = makePool(lab, { connectionLimit: 3 });
      await fill(pool, 3);
      lab.hosts[0]!.stall();
      pool.end();
      await expect.poll(() => pool.endpoint!.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
    });
  });

  describe('a process', () => {
    const script = (body: string): string[] => [
      '--input-type=module',
      '--eval',
      `import mysql from ${JSON.stringify(new URL('../../dist/esm/mysql2/promise.js', import.meta.url).href)};
       const config = JSON.parse(process.argv[1]); ${body}`,
      JSON.stringify(configOf(lab)),
    ];

    it('leaves no timer, socket or listener behind after fifty pools', async () => {
      const { stdout, stderr } = await run(
        process.execPath,
        script(`
          const before = process.eventNames().map((name) => process.listenerCount(name)).join();
          for (let i = 0; i < 5; i++) {
            const pools = Array.from({ length: 10 }, () => mysql.createPool(config));
            await Promise.all(pools.map((pool) => pool.query('select 1')));
            await Promise.all(pools.map((pool) => pool.end()));
          }
          await new Promise((resolve) => setTimeout(resolve, 300));
          const after = process.eventNames().map((name) => process.listenerCount(name)).join();
          const left = process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Query/i.test(kind));
          console.log(JSON.stringify({ same: before === after, left }));
        `),
        { timeout: 60_000 },
      );
      expect(JSON.parse(stdout)).toEqual({ same: true, left: [] });
      expect(stderr).toBe('');
    }, 70_000);

    it('survives a failover in which nobody listens to anything, and ends by itself', async () => {
      const { stdout, stderr } = await run(
        process.execPath,
        script(`
          const pool = mysql.createPool({ ...config, failover: { deadlineMillis: 5000, drainMillis: 0 } });
          const connections = await Promise.all([1, 2, 3].map(() => pool.getConnection()));
          const [one, two, three] = connections;
          const id = async (from) => (await from.query('select connection_id() as id'))[0][0].id;
          const [victim, other] = [await id(one), await id(three)];
          await two.query('kill ' + victim);
          await new Promise((resolve) => setTimeout(resolve, 100));
          one.release();
          one.connection.query('select 1');
          await two.query('kill ' + other);
          three.destroy();
          two.release();
          await pool.query('select 1');
          await pool.end();
          console.log('alive');
        `),
        { timeout: 10_000 },
      );
      expect([stdout, stderr]).toEqual(['alive\n', '']);
    });
  });
});
