import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { follow, outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Pool } from '../../src/pg/index.js';
import { streamOf } from '../../src/pg/internals.js';
import { kill, makePool, makeStandby, resetLab, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
const ASLEEP = "select from pg_stat_activity where wait_event = 'PgSleep'";

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  pool = makePool(lab);
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

/** What is known of a statement that failed. */
async function outcomeAfter(work: () => Promise<unknown>): Promise<{ code: unknown; outcome: unknown }> {
  const { error } = await settled(work());
  expect(error, 'the work must fail').toBeDefined();
  return { code: error?.code ?? error?.message, outcome: outcomeOf(error) };
}

/** A pool whose sessions cannot write, as on a server that was demoted. */
async function onReadOnly<T>(work: (readOnly: Pool) => Promise<T>): Promise<T> {
  const readOnly = makePool(lab, { options: '-c default_transaction_read_only=on' });
  try {
    return await work(readOnly);
  } finally {
    await readOnly.end();
  }
}

describe('the outcome, as PostgreSQL itself reports it, of', () => {
  it('one statement that a read-only server refuses is rejected', async () => {
    await pool.query('create table if not exists t (n int)');
    const rejected = { code: '25006', outcome: 'rejected' };
    await onReadOnly(async (readOnly) => {
      expect(await outcomeAfter(() => readOnly.query('insert into t values (1)'))).toEqual(rejected);
      expect(await outcomeAfter(() => readOnly.query('insert into t values ($1)', [1]))).toEqual(rejected);
    });
  });

  it('several statements, DO and CALL there is unknown, since a part of them may be committed', async () => {
    await pool.query(
      `create table if not exists half (n int);
       create or replace procedure p() language plpgsql as $$ begin
         commit; set transaction read write; insert into half values (1); commit; insert into half values (2); end $$`,
    );
    const before = (await pool.query('select from half')).rowCount ?? 0;
    const results = await onReadOnly(async (readOnly) => [
      await outcomeAfter(() => readOnly.query('call p()')),
      await outcomeAfter(() => readOnly.query('do $$ begin create table u (n int); end $$')),
      await outcomeAfter(() => readOnly.query('select 1; create table u (n int)')),
    ]);
    expect(results).toEqual(Array(3).fill({ code: '25006', outcome: 'unknown' }));
    // The first half of the CALL is there: this is why.
    expect((await pool.query('select from half')).rowCount).toBe(before + 1);
  });

  it('an ordinary error is left to its SQLSTATE', async () => {
    expect(await outcomeAfter(() => pool.query('select 1 / 0'))).toEqual({ code: '22012', outcome: undefined });
    expect(await outcomeAfter(() => pool.query('selec'))).toEqual({ code: '42601', outcome: undefined });
  });

  it('a statement whose session is terminated is unknown', async () => {
    const client = await pool.connect();
    const pid = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
    const sleeping = outcomeAfter(() => client.query('select pg_sleep(30)'));
    await expect
      .poll(
        async () =>
          (await pool.query('select from pg_stat_activity where pid = $1 and wait_event = $2', [pid, 'PgSleep']))
            .rowCount,
      )
      .toBe(1);
    await pool.query('select pg_terminate_backend($1)', [pid]);
    expect(await sleeping).toEqual({ code: '57P01', outcome: 'unknown' });
    client.release(true);
  });

  it('a statement whose server shuts down at once is unknown', async () => {
    const client = await pool.connect();
    const sleeping = outcomeAfter(() => client.query('select pg_sleep(30)'));
    await expect.poll(async () => (await lab.hosts[0]!.database.query(ASLEEP)).length).toBe(1);
    const [row] = await lab.hosts[0]!.database.query<{ path: string }>(
      "select current_setting('data_directory') as path",
    );
    const [postmaster] = readFileSync(`${row!.path}/postmaster.pid`, 'utf8').split('\n').map(Number);
    // An immediate shutdown.
    process.kill(postmaster!, 'SIGQUIT');
    try {
      // The word of the server, 57P01 or 57P02, is a warning then, and the connection ends.
      expect(await sleeping).toEqual({ code: 'Connection terminated unexpectedly', outcome: 'unknown' });
    } finally {
      client.release(true);
      await lab.hosts[0]!.database.restart();
    }
  });

  it('a statement whose server lost another backend is unknown', async () => {
    const [client, victim] = await Promise.all([pool.connect(), pool.connect()]);
    const notices: unknown[] = [];
    client.on('notice', ({ code }) => void notices.push(code));
    victim.on('error', () => {});
    const pid = (await victim.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
    const sleeping = outcomeAfter(() => client.query('select pg_sleep(30)'));
    await expect.poll(async () => (await lab.hosts[0]!.database.query(ASLEEP)).length).toBe(1);
    process.kill(pid, 'SIGKILL');
    expect(await sleeping).toEqual({ code: 'Connection terminated unexpectedly', outcome: 'unknown' });
    // The server says 57P02 as a warning, before it ends every session.
    expect(notices).toEqual(['57P02']);
    for (const each of [client, victim]) each.release(true);
    await expect.poll(async () => (await settled(lab.hosts[0]!.database.query('select 1'))).error).toBeUndefined();
  });

  it('a server that is starting is not-sent', async () => {
    const starting = await startServers({ hosts: 1 });
    try {
      const { database, id } = starting.hosts[0]!;
      await database.query('alter system set hot_standby = off');
      await makeStandby(starting, id);
      // It never says that it is ready.
      database.restart().catch(() => {});
      const early = makePool(starting);
      await expect
        .poll(() => outcomeAfter(() => early.query('select 1')), { timeout: 10_000 })
        .toEqual({ code: '57P03', outcome: 'not-sent' });
      await early.end();
    } finally {
      await starting.close();
    }
  }, 20_000);

  it('a session that idled for too long is unknown', async () => {
    const client = await pool.connect();
    await client.query('set idle_session_timeout = 100');
    const error = await new Promise<Error & { code?: string }>((resolve) => client.once('error', resolve));
    expect([error.code, outcomeOf(error)]).toEqual(['57P05', 'unknown']);
    client.release(true);
  });

  it('a statement in a session that breaks the protocol is unknown', async () => {
    const client = await pool.connect();
    (streamOf(client) as Writable).write(Buffer.from([1, 0, 0, 0, 4]));
    expect(await outcomeAfter(() => client.query('select 1'))).toEqual({ code: '08P01', outcome: 'unknown' });
    client.release(true);
  });

  it('a session that idled in its transaction for too long is unknown', async () => {
    const client = await pool.connect();
    await client.query('set idle_in_transaction_session_timeout = 100; begin');
    await new Promise<void>((resolve) => client.once('error', () => resolve()));
    expect((await outcomeAfter(() => client.query('select 1'))).outcome).toBe('not-sent');
    client.release(true);
  });

  it('the driver’s own time-out is unknown, since the server may still be at work', async () => {
    const query = { text: 'select pg_sleep(0.5)', query_timeout: 50 } as { text: string };
    expect(await outcomeAfter(() => pool.query(query))).toEqual({ code: 'Query read timeout', outcome: 'unknown' });
  });

  it('a statement that is cancelled is left to its SQLSTATE', async () => {
    const cancelled = outcomeAfter(() => pool.query('select pg_sleep(30)'));
    await expect
      .poll(async () => {
        const sql =
          "select pg_cancel_backend(pid) from pg_stat_activity where query = 'select pg_sleep(30)' and wait_event = 'PgSleep'";
        return (await lab.hosts[0]!.database.query(sql)).length;
      })
      .toBe(1);
    expect(await cancelled).toEqual({ code: '57014', outcome: undefined });
  });

  it('a statement on an address that the name left is unknown, and on one that is dead', async () => {
    const cut = makePool(lab, { failover: { drainMillis: 0 } });
    const client = await cut.connect();
    const left = outcomeAfter(() => client.query('select pg_sleep(30)'));
    await lab.move(lab.hosts[1]!);
    expect(await left).toEqual({ code: 'ADDRESS_LEFT', outcome: 'unknown' });
    client.release(true);
    await cut.end();
    const impatient = makePool(lab, { failover: { silenceMillis: 250, probeTimeoutMillis: 300, replay: 'none' } });
    await impatient.query('select 1');
    lab.hosts[1]!.stall();
    expect(await outcomeAfter(() => impatient.query('select 1'))).toEqual({ code: 'ADDRESS_DEAD', outcome: 'unknown' });
    await impatient.end();
  });

  it('a statement whose connection is reset is unknown', async () => {
    const client = await pool.connect();
    const sleeping = outcomeAfter(() => client.query('select pg_sleep(30)'));
    await expect.poll(() => lab.hosts[0]!.connections).toBeGreaterThan(0);
    lab.hosts[0]!.kill();
    expect((await sleeping).outcome).toBe('unknown');
    // Nothing more can be written on it.
    expect((await outcomeAfter(() => client.query('select 1'))).outcome).toBe('not-sent');
    client.release(true);
  });

  it('a log-in that fails is not-sent', async () => {
    const wrong = makePool(lab, { password: 'wrong' });
    expect(await outcomeAfter(() => wrong.query('select 1'))).toEqual({ code: '28P01', outcome: 'not-sent' });
    const nowhere = makePool(lab, { database: 'nowhere' });
    expect(await outcomeAfter(() => nowhere.query('select 1'))).toEqual({ code: '3D000', outcome: 'not-sent' });
    lab.hosts[0]!.refuse();
    const refused = makePool(lab);
    expect(await outcomeAfter(() => refused.query('select 1'))).toEqual({ code: 'ECONNREFUSED', outcome: 'not-sent' });
    await Promise.all([wrong.end(), nowhere.end(), refused.end()]);
  });

  it.each([
    ['nxdomain', 'ENOTFOUND'],
    ['servfail', 'ESERVFAIL'],
    ['empty', 'NO_ADDRESS'],
    ['drop', 'LOOKUP_TIMEOUT'],
  ] as const)('a first look-up that fails (%s) is not-sent', async (kind, code) => {
    lab.dns.setMode({ kind });
    const lost = makePool(lab, { follow: { lookupTimeoutMillis: 200 } });
    expect(await outcomeAfter(() => lost.query('select 1'))).toEqual({ code, outcome: 'not-sent' });
    await lost.end();
  });

  it('a wait that the end of the pool or of a pause ended is not-sent', async () => {
    const small = makePool(lab, { max: 1 });
    const client = await small.connect();
    const paused = small.pause();
    small.resume();
    expect(await outcomeAfter(() => paused)).toEqual({ code: 'PAUSE_ENDED', outcome: 'not-sent' });
    const waiting = outcomeAfter(() => small.query('select 1'));
    const ended = small.end();
    expect(await waiting).toEqual({ code: 'POOL_ENDED', outcome: 'not-sent' });
    client.release();
    await ended;
  });

  it('a wait that ended without a server is not-sent', async () => {
    const waiting = makePool(lab, { failover: { deadlineMillis: 1_500 } });
    await waiting.query('select 1');
    await kill(lab, waiting);
    expect(await outcomeAfter(() => waiting.query('select 1'))).toEqual({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'not-sent',
    });
    await waiting.end();
    expect((await outcomeAfter(() => waiting.query('select 1'))).outcome).toBe('not-sent');
  });

  it('a statement whose endpoint is closed is unknown', async () => {
    const endpoint = follow(lab.name, { servers: lab.servers });
    const sharing = new Pool({ ...lab.connection, port: lab.port, endpoint });
    const client = await sharing.connect();
    const cut = outcomeAfter(() => client.query('select pg_sleep(60)'));
    endpoint.close();
    expect(await cut).toEqual({ code: 'ENDPOINT_CLOSED', outcome: 'unknown' });
    client.release();
    await sharing.end();
  });

  it('a connection that only an answer that is too old could lead is not-sent', async () => {
    const forgetful = makePool(lab, { follow: { maxAnswerAgeMillis: 300, lookupTimeoutMillis: 100 } });
    await forgetful.endpoint!.ready();
    lab.dns.setMode({ kind: 'drop' });
    await expect.poll(() => forgetful.endpoint!.snapshot().refusal?.code).toBe('ANSWER_TOO_OLD');
    expect(await outcomeAfter(() => forgetful.query('select 1'))).toEqual({
      code: 'ANSWER_TOO_OLD',
      outcome: 'not-sent',
    });
    await forgetful.end();
  });

  it('a server without a free slot is waited for', async () => {
    const full = await startServers({
      hosts: 1,
      postgres: { settings: { max_connections: '7', superuser_reserved_connections: '3' } },
    });
    try {
      const holder = makePool(full, { max: 4 });
      const held = await Promise.all([1, 2, 3, 4].map(() => holder.connect()));
      const waiter = makePool(full);
      expect(await outcomeAfter(() => waiter.query('select 1'))).toEqual({ code: '53300', outcome: 'not-sent' });
      held.pop()!.release(true);
      await expect.poll(async () => (await settled(waiter.query('select 1'))).error).toBeUndefined();
      const one = await waiter.connect();
      const refused = full.hosts[0]!.accepted + 1;
      const second = waiter.connect();
      await expect.poll(() => full.hosts[0]!.accepted).toBeGreaterThan(refused);
      // It says so itself, so it lives.
      expect(waiter.endpoint!.state).toBe('steady');
      held.pop()!.release(true);
      (await second).release();
      one.release();
      for (const client of held) client.release();
      await Promise.all([holder.end(), waiter.end()]);
    } finally {
      await full.close();
    }
  });
});
