import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { outcomeOf, type MoveEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { fill, kill, makePool, moved, next, portOf, resetLab, serverOf, settled, startServers } from './support.js';

/** Its awaited timers, such as those of deadlines, come after all others of their time. */
const lateClock: Clock = {
  ...systemClock,
  setAwaited: (fn, delayMillis) => systemClock.setAwaited(fn, delayMillis + (delayMillis > 1_000 ? 200 : 0)),
};

let lab: Lab;
let pool: Pool;
let pools: Pool[] = [];
const make = (...args: Parameters<typeof makePool> extends [Lab, ...infer Rest] ? Rest : never): Pool => {
  pool = makePool(lab, ...args);
  pools.push(pool);
  return pool;
};

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  for (const host of lab.hosts) await host.restore();
  await Promise.all(pools.splice(0).map((each) => each.end()));
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
    make({ max: 2 });
    const [one, two] = [await pool.connect(), await pool.connect()];
    await one.query('begin');
    await move(1);
    await moveSeen;
    expect([pool.totalCount, pool.drainingCount]).toEqual([0, 2]);
    const fresh = await Promise.all([pool.connect(), pool.connect()]);
    expect(await Promise.all(fresh.map(serverOf))).toEqual([portOf(lab, 1), portOf(lab, 1)]);
    expect(await serverOf(one)).toBe(portOf(lab, 0));
    await one.query('commit');
    const gone = next(pool, 'remove');
    one.release();
    await gone;
    two.release();
    for (const client of fresh) client.release();
    await expect.poll(() => pool.drainingCount).toBe(0);
  });

  it('cuts what is leased when drainMillis ends, with an error that says so', async () => {
    make({ failover: { drainMillis: 100 } });
    const client = await pool.connect();
    const sleeping = settled(client.query('select pg_sleep(30)'));
    await move(1);
    const { error } = await sleeping;
    expect(error).toMatchObject({ code: 'ADDRESS_LEFT', message: expect.stringContaining('failover.drainMillis') });
    expect(outcomeOf(error)).toBe('unknown');
    client.release(error);
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
  });

  it('survives a release of what it has cut, with or without an error', async () => {
    make({ failover: { drainMillis: 0 } });
    const clients = [await pool.connect(), await pool.connect()];
    const ended = Promise.all(clients.map((client) => new Promise((resolve) => client.once('end', resolve))));
    await move(1);
    await ended;
    clients[0]!.release();
    clients[1]!.release(new Error('mine'));
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
  });

  it('never hands out a client whose onConnect hook outlived its address', async () => {
    let hooked = 0;
    make({
      onConnect: async () => {
        if (++hooked > 1) return;
        const seen = next(pool.endpoint!, 'move');
        await lab.move(lab.hosts[1]!);
        await seen;
      },
    });
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect(hooked).toBe(2);
  });

  it('forgets a client whose onConnect hook failed because its address was left', async () => {
    let hooked = 0;
    make({
      failover: { drainMillis: 0 },
      onConnect: async (client) => {
        if (++hooked > 1) return;
        const seen = next(pool.endpoint!, 'move');
        await lab.move(lab.hosts[1]!);
        await seen;
        await client.query('select pg_sleep(30)');
      },
    });
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect([pool.totalCount, pool.drainingCount]).toEqual([1, 0]);
    await pool.end();
    pools = [];
  });
});

describe('the old server is killed and the name moves', () => {
  it('fails only the statements that were in flight, with the driver’s own error', async () => {
    make({ failover: { replay: 'none' } });
    await fill(pool);
    const inFlight = Array.from({ length: 5 }, () => settled(pool.query('select pg_sleep(30)')));
    await expect.poll(() => pool.idleCount).toBe(5);
    await kill(lab, pool);
    await move(1);
    const later = Array.from({ length: 20 }, () => serverOf(pool));
    for (const { error } of await Promise.all(inFlight)) {
      expect(error?.message).toMatch(/ECONNRESET|EPIPE|Connection terminated unexpectedly/);
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

  it('keeps callers waiting while the name still points to the dead server', async () => {
    make();
    await fill(pool);
    const down = next(pool.endpoint!, 'down');
    await kill(lab, pool);
    const waiting = Array.from({ length: 20 }, () => serverOf(pool));
    await down;
    await move(1);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([portOf(lab, 1)]));
    await expect.poll(() => pool.endpoint!.state).toBe('steady');
  });

  it('comes back to the same address when the server does, without a move', async () => {
    make();
    await fill(pool);
    const down = next(pool.endpoint!, 'down');
    await kill(lab, pool);
    const waiting = serverOf(pool);
    await down;
    const recovered = next(pool.endpoint!, 'recovered');
    await lab.hosts[0]!.restore();
    expect(await waiting).toBe(portOf(lab, 0));
    await recovered;
    expect(pool.endpoint!.generation).toBe(0);
  });

  it('ends the wait at the deadline with an error that an operator can read', async () => {
    make({ failover: { deadlineMillis: 1_500 } });
    await fill(pool, 2);
    await kill(lab, pool);
    const { error: waited } = await settled(pool.query('select 1'));
    expect(waited?.code).toBe('DEADLINE_EXCEEDED');
    expect(waited?.message).toMatch(
      /^timeout exceeded when trying to connect: no usable server behind db\.example\.com/,
    );
    expect(waited?.message).toContain(lab.hosts[0]!.address);
    expect(waited?.message).toMatch(/ECONNREFUSED.*total \d+, active \d+, idle \d+, waiting \d+/);
    expect(waited?.cause).toMatchObject({ code: 'ECONNREFUSED' });
    expect(outcomeOf(waited)).toBe('not-sent');
  });

  it.each([
    ['', systemClock],
    [', also where its timer is first', lateClock],
  ])('takes the driver’s own time-out for the deadline where there is one%s', async (_, clock) => {
    make({ max: 1, connectionTimeoutMillis: 1_500, follow: { clock } });
    await fill(pool, 1);
    await kill(lab, pool);
    const errors = await Promise.all([settled(pool.query('select 1')), settled(pool.query('select 1'))]);
    for (const { error } of errors) {
      expect(error?.message).toMatch(
        /^(timeout exceeded when trying to connect|Connection terminated due to connection timeout)/,
      );
      expect(error?.code).toBe('DEADLINE_EXCEEDED');
    }
  });

  it('waits for a server that is starting', async () => {
    make();
    await fill(pool);
    await lab.hosts[0]!.database.kill();
    await expect.poll(() => pool.idleCount).toBe(0);
    const restarted = lab.hosts[0]!.database.restart();
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    await restarted;
  });

  it('tells a pool error that nobody listens to as a warning, and not by the end of the process', async () => {
    make();
    await fill(pool, 3);
    const warning = next(pool.endpoint!, 'warning');
    lab.hosts[0]!.kill();
    expect(await warning).toMatchObject({ code: 'UNHANDLED_POOL_ERROR' });
  });

  it('emits the pool error where somebody listens', async () => {
    make();
    await fill(pool, 1);
    const heard = new Promise((resolve) => pool.once('error', resolve));
    lab.hosts[0]!.kill();
    expect(await heard).toBeInstanceOf(Error);
  });
});

describe('the old server falls silent and the name moves', () => {
  it('finds it dead by a ping, and cuts what runs there without waiting for drainMillis', async () => {
    make({ failover: { drainMillis: 60_000, replay: 'none' } });
    await fill(pool);
    const stuck = settled(pool.query('select pg_sleep(30)'));
    await expect.poll(() => pool.idleCount).toBe(9);
    lab.hosts[0]!.stall();
    await move(1);
    await moveSeen;
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    const { error } = await stuck;
    expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
    expect(outcomeOf(error)).toBe('unknown');
  });

  it('gives new callers the new server though every connection hangs on the old one', async () => {
    make({ max: 3, failover: { drainMillis: 300, replay: 'none' } });
    await fill(pool);
    const stuck = Array.from({ length: 3 }, () => settled(pool.query('select pg_sleep(30)')));
    const waiting = Array.from({ length: 3 }, () => serverOf(pool));
    lab.hosts[0]!.stall();
    await move(1);
    expect(await Promise.all(waiting)).toEqual(Array(3).fill(portOf(lab, 1)));
    for (const { error } of await Promise.all(stuck)) expect(error?.code).toBe('ADDRESS_LEFT');
  });

  it('dials again what hangs in its log-in, without a backoff and without a word to the caller', async () => {
    make();
    await fill(pool, 1);
    lab.hosts[0]!.stall();
    const lease = await pool.connect();
    const stuck = serverOf(pool);
    await expect.poll(() => pool.endpoint!.snapshot().sockets.connecting).toBe(1);
    await move(1);
    expect(await stuck).toBe(portOf(lab, 1));
    lease.release(true);
  });

  it('the same with a server process that is stopped', async () => {
    make({ failover: { replay: 'none' } });
    await fill(pool);
    const stuck = settled(pool.query('select pg_sleep(30)'));
    await expect.poll(() => pool.idleCount).toBe(9);
    await lab.hosts[0]!.database.suspend();
    try {
      await move(1);
      await moveSeen;
      expect(await serverOf(pool)).toBe(portOf(lab, 1));
      expect((await stuck).error).toMatchObject({ code: 'ADDRESS_DEAD' });
    } finally {
      await lab.hosts[0]!.database.resume();
    }
  });
});

describe('DNS misbehaves', () => {
  const rules = { returnAfterMillis: 1_000, intervalMillis: 100 };

  it('follows a flickering name once, and never back', async () => {
    make({ follow: rules });
    await fill(pool);
    await stableFor(pool, rules.returnAfterMillis);
    const moves: MoveEvent[] = [];
    pool.endpoint!.on('move', (event) => void moves.push(event));
    const { from, to } = await lab.move(lab.hosts[1]!);
    lab.dns.setMode({ kind: 'flicker', addresses: [[to], [from]] });
    const servers: number[] = [];
    for (let asked = 0; asked < 30; asked++) {
      await next(pool.endpoint!, 'answer');
      servers.push(await serverOf(pool));
    }
    expect(moves).toHaveLength(1);
    expect(servers.slice(servers.indexOf(portOf(lab, 1)))).not.toContain(portOf(lab, 0));
  });

  it.each(['servfail', 'nxdomain', 'refused', 'empty', 'cname-only', 'drop', 'malformed', 'cname-loop'] as const)(
    '%s changes nothing for working connections, and is no move',
    async (kind) => {
      make({ follow: { intervalMillis: 100, lookupTimeoutMillis: 200 } });
      await fill(pool);
      lab.dns.setMode({ kind });
      const errors = [];
      for (let i = 0; i < 3; i++) errors.push(await next(pool.endpoint!, 'resolveError'));
      const client = await pool.connect();
      client.release(true);
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      expect([pool.endpoint!.generation, pool.endpoint!.state]).toEqual([0, 'steady']);
      lab.dns.setMode({ kind: 'normal' });
      await next(pool.endpoint!, 'answer');
    },
  );

  it('a public answer at the start fails the first call at once, and names the reason', async () => {
    lab.dns.setMode({ kind: 'public' });
    make();
    const { error } = await settled(pool.query('select 1'));
    expect(error).toMatchObject({
      code: 'PUBLIC_ADDRESS',
      message: expect.stringContaining('public view of an Elastic IP'),
    });
    expect(outcomeOf(error)).toBe('not-sent');
  });

  it('a public answer later leaves working connections alone, warns once, and is the cause of a wait that ends', async () => {
    make({ max: 2, failover: { deadlineMillis: 1_500 } });
    const client = await pool.connect();
    const warnings: unknown[] = [];
    pool.endpoint!.on('warning', (warning) => void warnings.push(warning.code));
    lab.dns.setMode({ kind: 'public' });
    await next(pool.endpoint!, 'warning');
    expect(await serverOf(client)).toBe(portOf(lab, 0));
    const { error } = await settled(pool.connect());
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', cause: { code: 'PUBLIC_ADDRESS' } });
    expect(warnings).toEqual(['PUBLIC_ADDRESS']);
    const waiting = pool.connect();
    lab.dns.setMode({ kind: 'normal' });
    (await waiting).release();
    client.release();
  });
});

describe('the name returns to the address that it left', () => {
  it('at once, when the server at the present address is found dead', async () => {
    const rules = { returnAfterMillis: 2_500, intervalMillis: 100 };
    make({ max: 2, follow: rules, failover: { drainMillis: 300 } });
    await fill(pool);
    await stableFor(pool, rules.returnAfterMillis);
    const { from } = await move(1);
    await moveSeen;
    await fill(pool);
    expect(pool.endpoint!.snapshot().quarantined).toEqual([from]);
    // Long quarantine, one answer: only the death of the present server can be the reason to go back so soon.
    lab.hosts[1]!.stall();
    const held = nextHeld(pool);
    const back = moved(pool);
    await lab.move(lab.hosts[0]!, { fresh: false });
    const { at } = await held;
    expect(await back).toMatchObject({ to: [from] });
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(pool.endpoint!.current!.at - at).toBeLessThan(2_000);
  }, 15_000);
});

/** The first answer that names only what is quarantined. */
async function nextHeld(of: Pool): Promise<{ readonly at: number }> {
  for (;;) {
    const { answer, verdict } = await next<{ answer: { at: number }; verdict: string }>(of.endpoint!, 'answer');
    if (verdict === 'held') return answer;
  }
}

let moveSeen: Promise<MoveEvent>;

/** Moves the name to that host at a fresh address; the pool's own move is awaited by `moveSeen`. */
async function move(index: number): Promise<{ from: string; to: string }> {
  moveSeen = moved(pool);
  return await lab.move(lab.hosts[index]!);
}

/** Until the present answer counts as proven: there is no event for the mere passing of time. */
async function stableFor(of: Pool, millis: number): Promise<void> {
  const until = performance.now() + millis + 200;
  while (performance.now() < until) await Promise.race([next(of.endpoint!, 'answer'), sleep(millis)]);
}
