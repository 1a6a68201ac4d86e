import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { fill, kill, makePool, next, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
let replays: ReplayEvent[] = [];
const HELD = 'select pg_sleep(0.5), inet_server_port() as port';

beforeAll(async () => {
  lab = await startServers();
  for (const { database } of lab.hosts) await database.query('create table w (n int); grant all on w to app');
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  for (const host of lab.hosts) await host.restore();
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function make(extra: PoolConfig = {}): void {
  pool = makePool(lab, extra);
  replays = [];
  pool.endpoint!.on('replay', (event) => void replays.push(event));
}

/** The work is at the first server, which is killed; the name moves once the pool has noticed. */
async function killUnder<T>(work: () => Promise<T>): Promise<ReturnType<typeof settled<T>>> {
  await fill(pool);
  const result = settled(work());
  await expect.poll(() => pool.idleCount).toBe(9);
  await inFlight();
  const down = next(pool.endpoint!, 'down');
  await kill(lab, pool);
  // Somebody has to try the server, or nobody finds out.
  const waiting = serverOf(pool);
  await down;
  await lab.move(lab.hosts[1]!);
  await waiting;
  return await result;
}

async function inFlight(): Promise<void> {
  const sleeping = "select from pg_stat_activity where wait_event = 'PgSleep'";
  await expect.poll(async () => (await lab.hosts[0]!.database.query(sleeping)).length).toBeGreaterThan(0);
}

async function written(index: number): Promise<number> {
  return (await lab.hosts[index]!.database.query('select from w')).length;
}

describe('a read whose server is killed', () => {
  it('is answered by the next one, and an event tells of it', async () => {
    make();
    const { value } = await killUnder(() => pool.query<{ port: number }>(HELD));
    expect(value?.rows[0]?.port).toBe(portOf(lab, 1));
    expect(replays).toMatchObject([{ statement: 'select', why: 'reads', outcome: 'unknown' }]);
    expect(JSON.stringify(replays)).not.toContain('inet_server_port');
  });

  it('is answered before those who came since', async () => {
    make({ max: 1 });
    const served: string[] = [];
    const note = (who: string) => (): void => void served.push(who);
    const read = pool.query(HELD).then(note('read'));
    await inFlight();
    const others = Array.from({ length: 4 }, () => pool.query('select').then(note('other')));
    lab.hosts[0]!.kill();
    await lab.move(lab.hosts[1]!);
    await Promise.all([read, ...others]);
    // One of them had a connection made for it as soon as there was room.
    expect(served.indexOf('read')).toBeLessThanOrEqual(1);
  });

  it('keeps its values, row mode, types and name', async () => {
    make();
    const types = { getTypeParser: () => (value: string) => `<${value}>` };
    const query = { text: 'select pg_sleep(0.5)::text, $1::int', values: [7], rowMode: 'array', name: 'seven', types };
    const { value } = await killUnder(() => pool.query(query as unknown as { text: string }));
    expect(value?.rows).toEqual([['<>', '<7>']]);
  });

  it('with a callback too', async () => {
    make();
    const ask = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        pool.query(HELD, (error, result) => (error == null ? resolve(result.rows[0].port) : reject(error)));
      });
    expect((await killUnder(ask)).value).toBe(portOf(lab, 1));
  });

  it('fails with the first error where its replay fails', async () => {
    make();
    const text = `select pg_sleep(0.5), 1 / (inet_server_port() - ${portOf(lab, 1)})`;
    const { error } = await killUnder(() => pool.query(text));
    expect(error?.message).toMatch(/ECONNRESET|EPIPE|Connection terminated unexpectedly/);
    expect(replays).toHaveLength(1);
  });

  it('is checked by the server: one that writes in a function is refused there', async () => {
    make();
    const text =
      'create or replace function sneak() returns int language sql volatile as $$ insert into w values (1); select 1 $$';
    for (const { database } of lab.hosts) await database.query(text);
    const { error } = await killUnder(() => pool.query('select pg_sleep(0.5), sneak()'));
    expect(outcomeOf(error)).toBe('unknown');
    expect(await written(1)).toBe(0);
  });

  it.each([
    ['none', HELD],
    ['unsent', HELD],
    ['reads', 'insert into w select 1 from pg_sleep(0.5)'],
    ['reads', `${HELD}; select 1`],
    ['reads', "select pg_sleep(0.5), pg_notify('a', 'b')"],
  ] as const)('with replay %s, %j fails with the driver’s error', async (replay, text) => {
    make({ failover: { replay } });
    const { error } = await killUnder(() => pool.query(text));
    expect(error?.message).toMatch(/ECONNRESET|EPIPE|Connection terminated unexpectedly/);
    expect([replays, await written(1)]).toEqual([[], 0]);
  });

  it('on a lease it fails, and in a transaction', async () => {
    make();
    const onLease = async (): Promise<unknown> => {
      const client = await pool.connect();
      try {
        return await client.query(HELD);
      } finally {
        client.release(true);
      }
    };
    expect(outcomeOf((await killUnder(onLease)).error)).toBe('unknown');
    expect(replays).toEqual([]);
  });
});

describe('a statement that its caller vouches for', () => {
  it('is run again as it is, once', async () => {
    make({ failover: { replay: 'none' } });
    const text = 'insert into w select 1 from pg_sleep(0.5)';
    expect((await killUnder(() => pool.query({ text, idempotent: true }))).value?.rowCount).toBe(1);
    expect(await written(1)).toBe(1);
    expect(replays).toMatchObject([{ statement: 'insert', why: 'idempotent' }]);
    await lab.hosts[1]!.database.query('truncate w');
  });
});

describe('a statement whose replay is cut off', () => {
  it('is not run a third time', async () => {
    make({ follow: { intervalMillis: 100 }, failover: { drainMillis: 0 } });
    const write = settled(pool.query({ text: 'insert into w select 1 from pg_sleep(1)', idempotent: true }));
    await inFlight();
    const replayed = next(pool.endpoint!, 'replay');
    await lab.move(lab.hosts[1]!);
    await replayed;
    await lab.move(lab.hosts[0]!);
    expect((await write).error).toMatchObject({ code: 'ADDRESS_LEFT' });
    // Time enough for a third one to come.
    await Promise.all([serverOf(pool), serverOf(pool)]);
    expect(replays).toHaveLength(1);
    // Its server ends the statement that was cut off as if nothing had happened: no row of it is to come in the next test.
    const sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
    const count = async (): Promise<number> =>
      (await Promise.all(lab.hosts.map(({ database }) => database.query(sleeping)))).flat().length;
    await expect.poll(count, { timeout: 5_000 }).toBe(0);
  });
});

describe('a statement of which nothing was written', () => {
  /** The connection of the next statement is found closed when it is about to be used. */
  function breakNext(): void {
    pool.once('acquire', (client: pg.PoolClient) => void client.end());
  }

  it.each(['unsent', 'reads'] as const)('is run on another connection, a write too, with replay %s', async (replay) => {
    make({ failover: { replay } });
    await fill(pool, 2);
    const before = await written(0);
    breakNext();
    expect((await pool.query('insert into w values (1)')).rowCount).toBe(1);
    expect(await written(0)).toBe(before + 1);
    expect(replays).toMatchObject([{ statement: 'insert', why: 'not-sent', outcome: 'not-sent' }]);
  });

  it('fails with replay none', async () => {
    make({ failover: { replay: 'none' } });
    await fill(pool, 2);
    breakNext();
    const { error } = await settled(pool.query('insert into w values (1)'));
    expect(outcomeOf(error)).toBe('not-sent');
    expect(replays).toEqual([]);
  });

  it('is run again once: where that one breaks too, its caller is told', async () => {
    make();
    await fill(pool, 3);
    const before = await written(0);
    breakNext();
    pool.endpoint!.once('replay', breakNext);
    const { error } = await settled(pool.query('insert into w values (1)'));
    expect(outcomeOf(error)).toBe('not-sent');
    expect([replays.length, await written(0)]).toEqual([1, before]);
  });
});

describe('a read that was cut off is not run again', () => {
  it('by a lone word of the server, which stays', async () => {
    make();
    const work = settled(pool.query('select pg_sleep(30)'));
    await inFlight();
    const kills = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
    await lab.hosts[0]!.database.query(kills);
    expect((await work).error).toMatchObject({ code: '57P01' });
    expect(replays).toEqual([]);
  });

  it('by a cancel, or by the driver’s time-out', async () => {
    make();
    const work = settled(pool.query('select pg_sleep(30)'));
    await inFlight();
    const cancels = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
    await lab.hosts[0]!.database.query(cancels);
    expect((await work).error).toMatchObject({ code: '57014' });
    const { error } = await settled(pool.query({ text: 'select pg_sleep(2)', query_timeout: 50 } as never));
    expect(error?.message).toBe('Query read timeout');
    expect(replays).toEqual([]);
  });
});

describe('a server that is silent', () => {
  it('loses no read: it is answered once the name has moved', async () => {
    make({ failover: { silenceMillis: 250, probeTimeoutMillis: 300 } });
    await fill(pool, 2);
    const reads = [1, 2].map(() => pool.query<{ port: number }>(HELD));
    await inFlight();
    lab.hosts[0]!.stall();
    await next(pool.endpoint!, 'down');
    await lab.move(lab.hosts[1]!);
    for (const { rows } of await Promise.all(reads)) expect(rows[0]?.port).toBe(portOf(lab, 1));
    expect(replays).toHaveLength(2);
  });
});
