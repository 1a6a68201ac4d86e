import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { fill, makePool, moved, portOf, resetLab, serverOf, settled, startServers } from '../pg/support.js';
import { behind } from '../server-program.js';
import { suiteWith } from '../suite-with.js';
import { LOGIN, pgBouncer } from './pgbouncer.js';

/** How many connections each PgBouncer has to its server, however many come to it. */
const SERVER_CONNECTIONS: number = 2;

suiteWith('pgbouncer', 'the name points to PgBouncer in transaction mode', () => {
  let servers: Lab;
  let lab: Lab;
  let pool: Pool;

  beforeAll(async () => {
    servers = await startServers();
    lab = await startLab({
      databases: behind((index) => pgBouncer(portOf(servers, index), { default_pool_size: SERVER_CONNECTIONS })),
      hosts: 2,
    });
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    pool = makePool(lab, { ...LOGIN, failover: { drainMillis: 60_000 } });
    await fill(pool);
  });
  afterEach(async () => {
    await pool.end();
  });
  afterAll(async () => {
    await lab?.close();
    await servers?.close();
  });

  const id = (index: number): number => portOf(servers, index);

  it('many connections of the pool share few of the server', async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, () => serverOf(pool)));
    expect(new Set(ids)).toEqual(new Set([id(0)]));
    expect(pool.totalCount).toBe(10);
    const [row] = await servers.hosts[0]!.database.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where usename = '${LOGIN.user}'`,
    );
    expect(row!.count).toBeLessThanOrEqual(SERVER_CONNECTIONS);
  });

  it('the name moves to another PgBouncer: new work goes there, a transaction ends where it began', async () => {
    const client = await pool.connect();
    await client.query('begin');
    expect(await serverOf(client)).toBe(id(0));
    const seen = moved(pool);
    await lab.move(lab.hosts[1]!);
    await seen;
    expect(new Set(await Promise.all(Array.from({ length: 30 }, () => serverOf(pool))))).toEqual(new Set([id(1)]));
    expect(await serverOf(client)).toBe(id(0));
    await client.query('commit');
    client.release();
    await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
  });

  it('PgBouncer is killed and the name moves: what was in flight fails, callers wait and are served', async () => {
    const client = await pool.connect();
    const inFlight = settled(client.query('select pg_sleep(30)'));
    await lab.hosts[0]!.database.kill();
    try {
      const { error } = await inFlight;
      expect(outcomeOf(error)).toBe('unknown');
      client.release(error);
      await expect.poll(() => pool.idleCount).toBe(0);
      const waiting = Array.from({ length: 20 }, () => serverOf(pool));
      const seen = moved(pool);
      await lab.move(lab.hosts[1]!);
      await seen;
      expect(new Set(await Promise.all(waiting))).toEqual(new Set([id(1)]));
    } finally {
      await lab.hosts[0]!.database.restart();
    }
  });

  it('the server behind it dies and comes back: PgBouncer holds or refuses statements, then the same pool works', async () => {
    const client = await pool.connect();
    const inFlight = settled(client.query('select pg_sleep(30)'));
    await expect.poll(() => sleeping(servers)).toBe(1);
    await servers.hosts[0]!.database.kill();
    const { error } = await inFlight;
    expect(error).toMatchObject({ message: expect.stringContaining('server conn crashed'), code: '08P01' });
    expect(outcomeOf(error)).toBe('unknown');
    client.release(error);
    const meanwhile = Array.from({ length: 20 }, () => settled(serverOf(pool)));
    await servers.hosts[0]!.database.restart();
    for (const { value, error } of await Promise.all(meanwhile))
      expect(value ?? error?.code).toBeOneOf([id(0), '08P01']);
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
    expect(pool.endpoint!.generation).toBe(0);
  }, 20_000);

  it('a session of the server is ended, which is younger than the connection to PgBouncer: a read is not run again', async () => {
    const { database } = servers.hosts[0]!;
    await database.restart();
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
    let replays = 0;
    pool.endpoint!.on('replay', () => replays++);
    const read = settled(pool.query('select pg_sleep(30)'));
    await expect.poll(() => sleeping(servers)).toBe(1);
    await database.query("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    expect(outcomeOf((await read).error)).toBe('unknown');
    expect(replays).toBe(0);
  }, 20_000);

  it('the server behind it dies and the name moves to another PgBouncer: nobody waits for the first one', async () => {
    await pool.end();
    pool = makePool(lab, { ...LOGIN, failover: { drainMillis: 300 } });
    const client = await pool.connect();
    await servers.hosts[0]!.database.kill();
    try {
      // PgBouncer lives, and keeps the statement until it has a server.
      const stuck = settled(client.query('select 1'));
      const seen = moved(pool);
      await lab.move(lab.hosts[1]!);
      await seen;
      expect(new Set(await Promise.all(Array.from({ length: 20 }, () => serverOf(pool))))).toEqual(new Set([id(1)]));
      const { error } = await stuck;
      expect(error).toMatchObject({ code: expect.stringMatching(/^ADDRESS_(DEAD|LEFT)$/) });
      client.release(error);
    } finally {
      await servers.hosts[0]!.database.restart();
    }
  }, 20_000);

  it('what it says of its server at a login may be long past: one that takes writes again is used', async () => {
    const { database } = servers.hosts[0]!;
    const tell = async (sql: string, setting: string): Promise<void> => {
      await database.query(sql);
      await database.query('select pg_reload_conf()');
      const shown = async (): Promise<unknown> => await database.query('show default_transaction_read_only');
      await expect.poll(shown).toEqual([{ default_transaction_read_only: setting }]);
    };
    await pool.end();
    await tell('alter system set default_transaction_read_only = on', 'on');
    await lab.hosts[0]!.database.restart();
    pool = makePool(lab, LOGIN);
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
    await tell('alter system reset default_transaction_read_only', 'off');
    const writing = makePool(lab, { ...LOGIN, failover: { role: 'writable', deadlineMillis: 5_000 } });
    expect((await settled(serverOf(writing))).value).toBe(id(0));
    await writing.end();
  }, 30_000);

  it('it is killed while its server is asked for its role: nothing was sent yet, so the caller waits and is served', async () => {
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
    const reporting = makePool(lab, { ...LOGIN, failover: { replay: 'none' } });
    const reports = Array.from({ length: SERVER_CONNECTIONS }, () => settled(reporting.query('select pg_sleep(30)')));
    await expect.poll(() => sleeping(servers)).toBe(SERVER_CONNECTIONS);
    const writing = makePool(lab, { ...LOGIN, failover: { role: 'writable', waitAtStart: true } });
    const first = settled(writing.query('insert into nowhere values (1)'));
    const { _clients: clients } = writing as unknown as { _clients: readonly { processID: number | null }[] };
    // PgBouncer has logged it in, and has no connection to its server left for the question.
    await expect.poll(() => (clients[0] ?? null)?.processID ?? null).not.toBeNull();
    await lab.hosts[0]!.database.kill();
    await Promise.all(reports);
    await lab.hosts[0]!.database.restart();
    expect((await first).error).toMatchObject({ code: '42P01' });
    await Promise.all([writing.end(), reporting.end()]);
  }, 30_000);

  it('the server behind it falls silent, and it goes on taking logins: what waits is not cut, and is done later', async () => {
    // The tests before may have left it without a server connection.
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
    // What is cut is to be seen, not run again.
    const failover = { silenceMillis: 250, probeTimeoutMillis: 500, replay: 'none' } as const;
    const [used, fresh] = [makePool(lab, { ...LOGIN, failover }), makePool(lab, { ...LOGIN, failover })];
    await fill(used);
    const client = await used.connect();
    await servers.hosts[0]!.database.suspend();
    const hung = Promise.all([client, used, fresh].map((on) => settled((on as Pool).query('select 1'))));
    try {
      await asked(4);
    } finally {
      await servers.hosts[0]!.database.resume();
    }
    expect((await hung).map(({ error }) => error)).toEqual(Array(3).fill(undefined));
    client.release();
    expect(used.endpoint!.generation).toBe(0);
    await Promise.all([used.end(), fresh.end()]);
  }, 30_000);

  it.each([
    ['the pool’s own', true],
    ['of others', false],
  ])(
    'reports, %s, take all its connections to the server: nothing is cut, and what waits behind them is done',
    async (_, own) => {
      await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
      const impatient = makePool(lab, {
        ...LOGIN,
        failover: { silenceMillis: 250, probeTimeoutMillis: 500, replay: 'none' },
      });
      await fill(impatient);
      const report = (): Promise<unknown> => settled((own ? impatient : pool).query('select pg_sleep(4)'));
      const reports = Array.from({ length: SERVER_CONNECTIONS }, report);
      await expect.poll(() => sleeping(servers)).toBe(SERVER_CONNECTIONS);
      const behind = settled(serverOf(impatient));
      expect(await Promise.all(reports)).toEqual(reports.map(() => ({ value: expect.anything() as unknown })));
      expect(await behind).toEqual({ value: id(0) });
      expect([impatient.endpoint!.state, impatient.endpoint!.generation]).toEqual(['steady', 0]);
      await impatient.end();
    },
    30_000,
  );

  /** So many questions have been answered by PgBouncer since. */
  async function asked(times: number): Promise<void> {
    const before = lab.hosts[0]!.accepted;
    await expect.poll(() => lab.hosts[0]!.accepted - before).toBeGreaterThanOrEqual(times);
  }

  async function sleeping(of: Lab): Promise<number> {
    const [row] = await of.hosts[0]!.database.query<{ count: number }>(
      "select count(*)::int as count from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'",
    );
    return row!.count;
  }
});
