import type { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createConnection, type Pool } from '../../src/mysql2/index.js';
import { createPoolCluster } from '../../src/mysql2/promise.js';
import {
  configOf,
  end,
  fill,
  kill,
  lease,
  makePool,
  next,
  onServers,
  onServersWith,
  resetLab,
  settled,
  startServers,
} from './support.js';

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
    lab = await startServers({ mariadb: { settings: { 'secure-file-priv': '/tmp' } } });
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

  describe('what a read-only server refuses', () => {
    beforeEach(async () => {
      await pool.promise().query('create table if not exists t (n int)');
    });
    afterEach(async () => {
      await lab.hosts[0]!.database.query('set global read_only = 0');
    });

    it('1290: rejected, since the server says that it is read-only', async () => {
      await lab.hosts[0]!.database.query('set global read_only = 1');
      const refused = { code: 'ER_OPTION_PREVENTS_STATEMENT', outcome: 'rejected' };
      expect(await outcomeAfter(pool.promise().query('insert into t values (1)'))).toEqual(refused);
      expect(await outcomeAfter(pool.promise().execute('insert into t values (?)', [1]))).toEqual(refused);
      const connection = await lease(pool);
      expect(await outcomeAfter(connection.promise().query('insert into t values (1)'))).toEqual(refused);
      connection.release();
      const single = createConnection(configOf(lab)).promise();
      expect(await outcomeAfter(single.query('insert into t values (1)'))).toEqual(refused);
      await single.end();
    });

    it('1290 of a CALL: unknown, since a part of it may be done', async () => {
      await lab.hosts[0]!.database.query('drop procedure if exists half');
      await lab.hosts[0]!.database.query(
        'create procedure half() sql security invoker begin insert into t values (7); commit; do sleep(1); insert into t values (8); end',
      );
      const calling = outcomeAfter(pool.promise().query('call half()'));
      await expect
        .poll(async () => (await lab.hosts[0]!.database.query('select 1 from t where n = 7')).length)
        .toBeGreaterThan(0);
      await lab.hosts[0]!.database.query('set global read_only = 1');
      const { outcome, code } = await calling;
      expect([code, outcome]).toEqual(['ER_OPTION_PREVENTS_STATEMENT', 'unknown']);
      expect(await lab.hosts[0]!.database.query('select 1 from t where n = 7')).not.toEqual([]);
    });

    it('1290 of another option: unknown, since the server takes writes', async () => {
      const { database } = lab.hosts[0]!;
      await database.query("grant file on *.* to 'app'@'%'");
      await end(pool);
      pool = makePool(lab);
      const writing = pool.promise().query("select 1 into outfile '/nowhere/at/all'");
      expect(await outcomeAfter(writing)).toEqual({ code: 'ER_OPTION_PREVENTS_STATEMENT', outcome: 'unknown' });
    });

    it('1792: unknown in the caller’s own READ ONLY transaction, rejected on a read-only server', async () => {
      const connection = (await lease(pool)).promise();
      await connection.query('start transaction read only');
      const refused = { code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION', outcome: 'unknown' };
      expect(await outcomeAfter(connection.query('insert into t values (1)'))).toEqual(refused);
      await lab.hosts[0]!.database.query('set global read_only = 1');
      expect((await outcomeAfter(connection.query('insert into t values (1)'))).outcome).toBe('rejected');
      await connection.rollback();
      connection.release();
    });

    it('asks nothing of a healthy server', async () => {
      const questions = async (): Promise<number> => {
        const [row] = await lab.hosts[0]!.database.query<{ Value: string }>("show global status like 'Com_select'");
        return Number(row!.Value);
      };
      await fill(pool, 1);
      const before = await questions();
      for (let n = 0; n < 5; n++) await pool.promise().query('insert into t values (?)', [n]);
      await settled(pool.promise().query('selec'));
      expect((await questions()) - before).toBe(0);
    });
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
    const cut = outcomeAfter(pool.promise().query('do sleep(30)'));
    await expect.poll(() => pool.endpoint!.snapshot().sockets.open).toBe(1);
    lab.hosts[0]!.kill();
    expect((await cut).outcome).toBe('unknown');
    expect((await outcomeAfter(connection.promise().query('select 1'))).outcome).toBe('not-sent');
  });

  it('1153, of class 08: unknown; the server ends the session of a statement that is too long for it', async () => {
    const { database } = lab.hosts[0]!;
    const [row] = await database.query<{ limit: number }>('select @@global.max_allowed_packet as `limit`');
    await database.query('set global max_allowed_packet = 1024');
    try {
      const statement = `select '${'a'.repeat(50_000)}'`;
      const { error } = await settled(pool.promise().query(statement));
      expect(error).toMatchObject({ code: 'ER_NET_PACKET_TOO_LARGE', sqlState: '08S01' });
      expect(outcomeOf(error)).toBe('unknown');
    } finally {
      await database.query(`set global max_allowed_packet = ${row!.limit}`);
    }
  });

  it('1047, of class 08: unknown; the session broke the protocol', async () => {
    const connection = await lease(pool);
    const { stream } = connection as unknown as { readonly stream: Writable };
    // A command that the protocol does not have; its answer comes first.
    stream.write(Buffer.from([1, 0, 0, 0, 0x7f]));
    const { error } = await settled(connection.promise().query('select 1'));
    expect(error).toMatchObject({ code: 'ER_UNKNOWN_COM_ERROR', sqlState: '08S01' });
    expect(outcomeOf(error)).toBe('unknown');
    connection.destroy();
  });

  it('a log-in that fails is not-sent', async () => {
    const pools = [makePool(lab, { password: 'wrong' }), makePool(lab, { database: 'nowhere' })];
    lab.hosts[1]!.refuse();
    for (const each of pools) expect((await outcomeAfter(each.promise().query('select 1'))).outcome).toBe('not-sent');
    await Promise.all(pools.map(end));
  });

  onServersWith('statement SHUTDOWN', 'a session that the server ends:', () => {
    it('1927: unknown; it kills itself', async () => {
      const suicidal = makePool(lab);
      try {
        const { error } = await settled(suicidal.promise().query('kill connection connection_id()'));
        expect(error).toMatchObject({ errno: 1927 });
        expect(outcomeOf(error)).toBe('unknown');
      } finally {
        await end(suicidal);
      }
    });

    it('a KILL by another one, and a server that shuts down: unknown, whether there is a last word or none', async () => {
      const own = await startServers({ hosts: 1 });
      const stranger = makePool(own);
      try {
        const killed = outcomeAfter(stranger.promise().query('do sleep(30)'));
        const sessions = (): Promise<{ id: number }[]> =>
          own.hosts[0]!.database.query("select id from information_schema.processlist where info = 'do sleep(30)'");
        await expect.poll(async () => (await sessions()).length).toBe(1);
        await own.hosts[0]!.database.query(`kill ${(await sessions())[0]!.id}`);
        expect((await killed).outcome).toBe('unknown');
        const shut = outcomeAfter(stranger.promise().query('do sleep(30)'));
        await expect.poll(async () => (await sessions()).length).toBe(1);
        await own.hosts[0]!.database.query('shutdown');
        expect((await shut).outcome).toBe('unknown');
      } finally {
        await end(stranger);
        await own.close();
      }
    });
  });

  it('what mysql2 refuses before it writes anything is not-sent', async () => {
    const full = makePool(lab, { connectionLimit: 1, waitForConnections: false });
    const held = await lease(full);
    const short = makePool(lab, { connectionLimit: 1, queueLimit: 1 });
    const other = await lease(short);
    const queued = settled(short.promise().query('select 1'));
    const cluster = createPoolCluster();
    const secure = makePool(lab, { ssl: { rejectUnauthorized: false } });
    const work = [
      full.promise().query('select 1'),
      short.promise().query('select 1'),
      cluster.of('nothing').query('select 1'),
      secure.promise().query('select 1'),
      pool.promise().execute('select ?', [undefined as never]),
      pool.promise().execute('select ?', 1),
    ];
    expect(await Promise.all(work.map(outcomeAfter))).toEqual([
      { code: 'No connections available.', outcome: 'not-sent' },
      { code: 'Queue limit reached.', outcome: 'not-sent' },
      { code: 'POOL_NOEXIST', outcome: 'not-sent' },
      { code: 'HANDSHAKE_NO_SSL_SUPPORT', outcome: 'not-sent' },
      { code: expect.stringContaining('Bind parameters must not contain undefined'), outcome: 'not-sent' },
      { code: expect.stringContaining('Bind parameters must be array'), outcome: 'not-sent' },
    ]);
    for (const connection of [held, other]) connection.release();
    await queued;
    await Promise.all([full, short, secure].map(end));
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
