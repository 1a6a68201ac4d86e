import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, type MoveEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/mysql2/index.js';
import {
  countsOf,
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

let lab: Lab;
let pool: Pool;
let pools: Pool[] = [];
let moveSeen: Promise<MoveEvent>;

const make = (...args: Parameters<typeof makePool> extends [Lab, ...infer Rest] ? Rest : never): Pool => {
  pool = makePool(lab, ...args);
  pools.push(pool);
  return pool;
};

/** Moves the name to that host at a fresh address; the pool's own move is awaited by `moveSeen`. */
async function move(index: number): Promise<{ from: string; to: string }> {
  moveSeen = moved(pool);
  return await lab.move(lab.hosts[index]!);
}

/** Runs it in the very turn in which the name moves, before anything is told of it. */
async function inTheTurnOfTheMove<T>(run: () => T | Promise<T>): Promise<T> {
  return await new Promise((resolve) => {
    pool.endpoint!.on('answer', ({ verdict }) => {
      if (verdict === 'adopted') resolve(run());
    });
  });
}

const slow = (from: Pool): ReturnType<typeof settled> => settled(from.promise().query('do sleep(30)'));
/** A statement that is on its way holds the first of the pool's connections. */
const busy = async (count: number): Promise<void> => {
  await expect.poll(() => countsOf(pool).idle).toBe(10 - count);
};

onServers('a pool of mysql2', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
  });
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
    await Promise.all(pools.splice(0).map(end));
  });
  afterAll(async () => {
    await lab?.close();
  });

  describe('the old server is alive and the name moves', () => {
    it('runs new work on the new server from the move on, and closes what is idle on the old one', async () => {
      make();
      await fill(pool);
      const { from, to } = await move(1);
      expect(await moveSeen).toMatchObject({ from: [from], to: [to], generation: 1 });
      const servers = await Promise.all(Array.from({ length: 30 }, () => serverOf(pool)));
      expect(new Set(servers)).toEqual(new Set([portOf(lab, 1)]));
      await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
    });

    it('lets leased work finish, and gives the new server its full pool meanwhile', async () => {
      make({ connectionLimit: 2 });
      const [one, two] = [await lease(pool), await lease(pool)];
      await one.promise().beginTransaction();
      await move(1);
      await moveSeen;
      expect([countsOf(pool).total, pool.drainingCount]).toEqual([0, 2]);
      const fresh = await Promise.all([lease(pool), lease(pool)]);
      expect(await Promise.all(fresh.map(serverOf))).toEqual([portOf(lab, 1), portOf(lab, 1)]);
      expect(await serverOf(one)).toBe(portOf(lab, 0));
      await one.promise().commit();
      one.release();
      two.release();
      for (const connection of fresh) connection.release();
      await expect.poll(() => [pool.drainingCount, lab.hosts[0]!.connections]).toEqual([0, 0]);
      expect(countsOf(pool)).toMatchObject({ total: 2, idle: 2 });
    });

    it('serves who waits for a connection as soon as the name has moved', async () => {
      make({ connectionLimit: 1, failover: { drainMillis: 60_000 } });
      const held = await lease(pool);
      const waiting = serverOf(pool);
      await expect.poll(() => countsOf(pool).waiting).toBe(1);
      await move(1);
      expect(await waiting).toBe(portOf(lab, 1));
      expect(await serverOf(held)).toBe(portOf(lab, 0));
      held.release();
    });

    it('hands out nothing that was on its way to a caller when the name moved', async () => {
      make({ connectionLimit: 1 });
      await fill(pool, 1);
      const given = inTheTurnOfTheMove(() => lease(pool));
      await move(1);
      const connection = await given;
      expect(await serverOf(connection)).toBe(portOf(lab, 1));
      connection.release();
    });

    it('nor what was given back for the next in the queue in that turn', async () => {
      make({ connectionLimit: 1 });
      const held = await lease(pool);
      const waiting = lease(pool);
      await expect.poll(() => countsOf(pool).waiting).toBe(1);
      const released = inTheTurnOfTheMove(() => held.release());
      await move(1);
      await released;
      const connection = await waiting;
      expect(await serverOf(connection)).toBe(portOf(lab, 1));
      connection.release();
    });

    it('cuts what is leased when drainMillis ends, with an error that says so', async () => {
      make({ failover: { drainMillis: 100 } });
      const connection = await lease(pool);
      const sleeping = settled(connection.promise().query('select sleep(30)'));
      await move(1);
      const { error } = await sleeping;
      expect(error).toMatchObject({ code: 'ADDRESS_LEFT', message: expect.stringContaining('failover.drainMillis') });
      expect(outcomeOf(error)).toBe('unknown');
      connection.release();
      expect(await serverOf(pool)).toBe(portOf(lab, 1));
    });

    it('survives release and destroy of what it has cut, and work that is given to it', async () => {
      make({ failover: { drainMillis: 0 } });
      const connections = [await lease(pool), await lease(pool), await lease(pool)];
      const ended = Promise.all(connections.map((connection) => next(connection, 'error')));
      await move(1);
      await ended;
      connections[0]!.release();
      connections[1]!.destroy();
      connections[2]!.query('select 1');
      expect((await settled(connections[2]!.promise().query('select 1'))).error?.message).toMatch(/closed state/);
      expect(await serverOf(pool)).toBe(portOf(lab, 1));
    });

    it('lets a statement finish whose connection was released before its end', async () => {
      make({ connectionLimit: 1, follow: { intervalMillis: 100 } });
      const connection = await lease(pool);
      const running = connection.promise().query('select sleep(1.5) as slept');
      connection.release();
      await move(1);
      await moveSeen;
      expect(await serverOf(pool)).toBe(portOf(lab, 1));
      expect(pool.endpoint!.snapshot().sockets).toMatchObject({ open: 1, leaving: 1 });
      expect((await running)[0]).toEqual([{ slept: 0 }]);
      await expect.poll(() => pool.endpoint!.snapshot().sockets).toMatchObject({ open: 1, leaving: 0 });
    });

    it('breaks off no log-in that a server would count against this client', async () => {
      make({ follow: { intervalMillis: 100 } });
      await fill(pool);
      const aborted = async (index: number): Promise<number> => {
        const [row] = await lab.hosts[index]!.database.query<{ Value: string }>(
          "show global status like 'Aborted_connects'",
        );
        return Number(row!.Value);
      };
      const before = [await aborted(0), await aborted(1)];
      for (let i = 0; i < 6; i++) {
        await move(1 - (i % 2));
        await moveSeen;
        await fill(pool);
      }
      expect([await aborted(0), await aborted(1)]).toEqual(before);
    });
  });

  describe('the old server is killed and the name moves', () => {
    it('fails only the statements that were in flight, with the driver’s own error', async () => {
      make();
      await fill(pool);
      const inFlight = Array.from({ length: 5 }, () => slow(pool));
      await busy(5);
      await kill(lab, pool);
      await move(1);
      const later = Array.from({ length: 20 }, () => serverOf(pool));
      for (const { error } of await Promise.all(inFlight)) {
        expect(error?.code).toMatch(/ECONNRESET|EPIPE|PROTOCOL_CONNECTION_LOST/);
        expect(outcomeOf(error)).toBe('unknown');
      }
      expect(new Set(await Promise.all(later))).toEqual(new Set([portOf(lab, 1)]));
    });

    it('suspects the server as soon as a connection that nobody uses is reset', async () => {
      make();
      await fill(pool, 1);
      const suspected = next(pool.endpoint!, 'suspect');
      lab.hosts[0]!.kill();
      expect(await suspected).toMatchObject({ address: lab.hosts[0]!.address });
    });

    it('keeps callers waiting while the name still points to the dead server, and serves them all at once', async () => {
      make();
      await fill(pool);
      const down = next(pool.endpoint!, 'down');
      await kill(lab, pool);
      const waiting = Array.from({ length: 100 }, () => serverOf(pool));
      await down;
      await move(1);
      expect(new Set(await Promise.all(waiting))).toEqual(new Set([portOf(lab, 1)]));
      await expect.poll(() => pool.endpoint!.state).toBe('steady');
    });

    it('comes back to the same address when the server does, without a move', async () => {
      make();
      await fill(pool);
      const down = next(pool.endpoint!, 'down');
      await lab.hosts[0]!.database.kill();
      await expect.poll(() => countsOf(pool).idle).toBe(0);
      const waiting = serverOf(pool);
      await down;
      await lab.hosts[0]!.database.restart();
      expect(await waiting).toBe(portOf(lab, 0));
      expect(pool.endpoint!.generation).toBe(0);
    });

    it('ends every wait at the deadline, in the queue too, with an error that an operator can read', async () => {
      make({ connectionLimit: 2, failover: { deadlineMillis: 1_500 } });
      await fill(pool, 2);
      await kill(lab, pool);
      const waits = await Promise.all(Array.from({ length: 6 }, () => settled(pool.promise().query('select 1'))));
      for (const { error } of waits) {
        expect(error?.code).toBe('DEADLINE_EXCEEDED');
        expect(error?.message).toMatch(/no usable server behind db\.example\.com.*total \d+, active \d+/);
        expect(outcomeOf(error)).toBe('not-sent');
      }
      expect(waits.some(({ error }) => error!.message.includes('ECONNREFUSED'))).toBe(true);
      const later = serverOf(pool);
      await lab.hosts[0]!.restore();
      expect(await later).toBe(portOf(lab, 0));
    });
  });

  describe('the old server falls silent and the name moves', () => {
    it('finds it dead by a ping, and settles what runs there without waiting for drainMillis', async () => {
      make({ failover: { drainMillis: 60_000 } });
      await fill(pool);
      const stuck = slow(pool);
      await busy(1);
      lab.hosts[0]!.stall();
      await move(1);
      await moveSeen;
      expect(await serverOf(pool)).toBe(portOf(lab, 1));
      const { error } = await stuck;
      expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
      expect(outcomeOf(error)).toBe('unknown');
    });

    it('gives new callers the new server though every connection hangs on the old one', async () => {
      make({ connectionLimit: 3, failover: { drainMillis: 300 } });
      await fill(pool, 3);
      const stuck = Array.from({ length: 3 }, () => slow(pool));
      const waiting = Array.from({ length: 9 }, () => serverOf(pool));
      lab.hosts[0]!.stall();
      await move(1);
      expect(await Promise.all(waiting)).toEqual(Array(9).fill(portOf(lab, 1)));
      for (const { error } of await Promise.all(stuck)) expect(error?.code).toBe('ADDRESS_LEFT');
    });

    it('dials again what hangs in its log-in, without a backoff and without a word to the caller', async () => {
      make();
      await fill(pool, 1);
      lab.hosts[0]!.stall();
      const held = await lease(pool);
      const stuck = serverOf(pool);
      await expect.poll(() => pool.endpoint!.snapshot().sockets.connecting).toBe(1);
      await move(1);
      expect(await stuck).toBe(portOf(lab, 1));
      held.destroy();
    });

    it('settles a stream too', async () => {
      make({ failover: { drainMillis: 200 } });
      await fill(pool, 1);
      const stream = pool.query('select sleep(30)').stream();
      stream.resume();
      const failed = next<Error & { code: string }>(stream, 'error');
      await expect.poll(() => countsOf(pool).idle).toBe(0);
      lab.hosts[0]!.stall();
      await move(1);
      expect((await failed).code).toBe('ADDRESS_LEFT');
    });

    it('a log-in that hangs is not broken off at the deadline, and is the pool’s when the server wakes up', async () => {
      make({ connectionLimit: 1, failover: { deadlineMillis: 300 } });
      await fill(pool, 1);
      await kill(lab, pool);
      await lab.hosts[0]!.restore();
      lab.hosts[0]!.stall();
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('DEADLINE_EXCEEDED');
      const { accepted } = lab.hosts[0]!;
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('DEADLINE_EXCEEDED');
      await lab.hosts[0]!.restore();
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      expect(lab.hosts[0]!.accepted).toBe(accepted);
    });
  });

  describe('a statement that times out', () => {
    it('gives its place back, and its caller is told once', async () => {
      make({ connectionLimit: 1 });
      let told = 0;
      const first = new Promise<Error | null>((resolve) => {
        pool.query({ sql: 'select sleep(30)', timeout: 50 }, (error) => {
          told++;
          resolve(error);
        });
      });
      expect(await first).toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      const { error } = await settled(pool.promise().execute({ sql: 'select sleep(30)', timeout: 50 }));
      expect(error?.code).toBe('PROTOCOL_SEQUENCE_TIMEOUT');
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      expect([told, countsOf(pool).total]).toEqual([1, 1]);
    });

    it('tells one without a callback of its error and its end once', async () => {
      make({ connectionLimit: 1 });
      const events: string[] = [];
      const query = pool.query({ sql: 'select sleep(30)', timeout: 50 });
      for (const event of ['error', 'end']) query.on(event, () => events.push(event));
      await new Promise((resolve) => query.once('end', resolve));
      // Its connection, which nobody can use any more, has been closed by then.
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      expect(events).toEqual(['error', 'end']);
    });

    it('on a lease leaves the lease to its caller, and no later caller gets a connection that hangs', async () => {
      make({ connectionLimit: 1 });
      const held = await lease(pool);
      const { error } = await settled(held.promise().query({ sql: 'select sleep(30)', timeout: 50 }));
      expect(error?.code).toBe('PROTOCOL_SEQUENCE_TIMEOUT');
      held.release();
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
    });
  });

  describe('a wrong configuration', () => {
    it('fails at once, and is never waited for', async () => {
      make({ password: 'wrong' });
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('ER_ACCESS_DENIED_ERROR');
      make({ database: 'nowhere' });
      expect((await settled(pool.promise().query('select 1'))).error?.code).toMatch(/ER_BAD_DB|ER_DBACCESS_DENIED/);
      lab.hosts[0]!.refuse();
      make();
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('ECONNREFUSED');
    });

    it('waits where it is asked to', async () => {
      lab.hosts[0]!.refuse();
      make({ failover: { waitAtStart: true } });
      const waiting = serverOf(pool);
      await next(pool.endpoint!, 'down');
      await lab.hosts[0]!.restore();
      expect(await waiting).toBe(portOf(lab, 0));
    });

    it('a pool that never reached its silent server fails when connectTimeout ends, as mysql2’s', async () => {
      lab.hosts[0]!.stall();
      make({ connectTimeout: 300 });
      const { error } = await settled(pool.promise().query('select 1'));
      expect(error).toMatchObject({ code: 'ETIMEDOUT', message: 'connect ETIMEDOUT' });
    });
  });

  it('a public answer at the start fails the first call at once', async () => {
    lab.dns.setMode({ kind: 'public' });
    make();
    expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('PUBLIC_ADDRESS');
  });
});
