import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/mysql2/index.js';
import { end, fill, kill, lease, makePool, next, onServers, resetLab, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;

/** What is known of a statement that failed. */
async function outcomeAfter(work: Promise<unknown>): Promise<{ code: unknown; outcome: unknown }> {
  const { error } = await settled(work);
  expect(error, 'the work must fail').toBeDefined();
  return { code: error?.code ?? error?.message, outcome: outcomeOf(error) };
}

onServers('the outcome, as MariaDB itself reports it, of', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    pool = makePool(lab);
  });
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('a refusal that may come from a read-only server is unknown: 1290 has other sources, and a CALL may be half done', async () => {
    await pool.promise().query('create table if not exists t (n int)');
    await lab.hosts[0]!.database.query('set global read_only = 1');
    try {
      const readOnly = { code: 'ER_OPTION_PREVENTS_STATEMENT', outcome: 'unknown' };
      expect(await outcomeAfter(pool.promise().query('insert into t values (1)'))).toEqual(readOnly);
      expect(await outcomeAfter(pool.promise().execute('insert into t values (?)', [1]))).toEqual(readOnly);
    } finally {
      await lab.hosts[0]!.database.query('set global read_only = 0');
    }
    await pool.promise().query('insert into t values (1)');
  });

  it('an ordinary error is left to its code', async () => {
    const work = [pool.promise().query('selec'), pool.promise().query('select * from nowhere.t')];
    expect((await Promise.all(work.map(outcomeAfter))).map(({ outcome }) => outcome)).toEqual([undefined, undefined]);
  });

  it('a statement whose session is killed, or whose connection is reset, is unknown', async () => {
    const connection = await lease(pool);
    const sleeping = outcomeAfter(connection.promise().query('select sleep(30)'));
    await lab.hosts[0]!.database.query(`kill ${connection.threadId}`);
    expect((await sleeping).outcome).toBe('unknown');
    const cut = outcomeAfter(pool.promise().query('select sleep(30)'));
    await expect.poll(() => pool.endpoint!.snapshot().sockets.open).toBe(1);
    lab.hosts[0]!.kill();
    expect((await cut).outcome).toBe('unknown');
    expect((await outcomeAfter(connection.promise().query('select 1'))).outcome).toBe('not-sent');
  });

  it('a log-in that fails is not-sent', async () => {
    const pools = [makePool(lab, { password: 'wrong' }), makePool(lab, { database: 'nowhere' })];
    lab.hosts[1]!.refuse();
    for (const each of pools) expect((await outcomeAfter(each.promise().query('select 1'))).outcome).toBe('not-sent');
    await Promise.all(pools.map(end));
  });

  it('a wait that ended without a server, or without a turn, is not-sent', async () => {
    const waiting = makePool(lab, { connectionLimit: 1, queueLimit: 1, failover: { deadlineMillis: 500 } });
    await fill(waiting, 1);
    await kill(lab, waiting);
    const refused = { code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' };
    expect(await outcomeAfter(waiting.promise().query('select 1'))).toEqual(refused);
    await end(waiting);
    expect((await outcomeAfter(waiting.promise().query('select 1'))).outcome).toBe('not-sent');
  });

  it('a server without a free slot is waited for', async () => {
    const full = await startServers({ hosts: 1, mariadb: { settings: { 'max-connections': '10' } } });
    try {
      // One slot beyond the limit is the administrator's.
      const holder = makePool(full, { connectionLimit: 10 });
      const waiter = makePool(full, { connectionLimit: 5 });
      const own = await lease(waiter);
      const held = await Promise.all(Array.from({ length: 9 }, () => lease(holder)));
      const stranger = makePool(full);
      const first = await outcomeAfter(stranger.promise().query('select 1'));
      expect(first).toEqual({ code: 'ER_CON_COUNT_ERROR', outcome: 'not-sent' });
      const suspected = Promise.race([next(waiter.endpoint!, 'suspect'), next(waiter.endpoint!, 'down')]);
      const second = lease(waiter);
      await suspected;
      for (const connection of held) connection.destroy();
      (await second).release();
      own.release();
      await Promise.all([holder, waiter, stranger].map(end));
    } finally {
      await full.close();
    }
  });
});
