import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions, PromisePool } from '../../src/mysql2/index.js';
import type { Transaction } from '../../src/mysql2/promise.js';
import { countsOf, end, makePool, onServers, settled, startServers } from './support.js';

let lab: Lab;
let core: Pool;
let pool: PromisePool;

const use = (extra: PoolOptions = {}): void => {
  core = makePool(lab, { connectionLimit: 2, ...extra });
  pool = core.promise();
};
const query = async <Row extends object>(sql: string): Promise<Row[]> => await lab.hosts[0]!.database.query<Row>(sql);
const insert = async (tx: Pick<Transaction, 'query'>, n: number): Promise<unknown> =>
  await tx.query('insert into e values (?)', [n]);
const written = async (): Promise<string> =>
  (await query<{ n: number }>('select n from e order by n')).map(({ n }) => n).join();

onServers('on MySQL’s protocol', () => {
  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    for (const sql of [
      'create table e (n int primary key) engine=InnoDB',
      'create table untouched (n int) engine=InnoDB',
      'create table plain (n int) engine=MyISAM',
      'create procedure undo_it() begin rollback; start transaction; end',
      'create procedure keep_it() begin commit; start transaction; end',
      "create procedure keep_and_fail() begin commit; start transaction; signal sqlstate '45000'; end",
      'create procedure adds() insert into e values (9)',
      'create table markers (id varchar(64) primary key, unique key `x (id)` (id)) engine=InnoDB',
      'create table a_text (id text not null, unique key (id(40))) engine=InnoDB',
      'create table with_isam (id varchar(64) primary key) engine=MyISAM',
      'create table in_memory (id varchar(64) primary key) engine=MEMORY',
      'create table loose (id varchar(64), key (id)) engine=InnoDB',
      'create table pair (id varchar(64), n int, primary key (id, n)) engine=InnoDB',
      'create table short (id varchar(64), unique key (id(8))) engine=InnoDB',
      'create table renamed (id varchar(64) primary key) engine=InnoDB',
      'create trigger renames before insert on renamed for each row set new.id = uuid()',
      // It keeps the digits that an id begins with, unless the mode is strict.
      'create table numbered (id bigint primary key) engine=InnoDB',
      'create view shown as select * from markers',
      'create database other',
      "grant all on other.* to 'app'@'%'",
      'create table other.markers (id varchar(64) primary key) engine=InnoDB',
    ])
      await query(sql);
  }, 60_000);
  beforeEach(async () => {
    for (const table of ['e', 'markers', 'other.markers', 'plain']) await query(`delete from ${table}`);
    use();
  });
  afterEach(async () => {
    await end(core);
  });
  afterAll(async () => {
    await lab?.close();
  });

  describe('a statement that ends the transaction, whatever the status says then,', () => {
    it.each([
      ['rollback and chain', ''],
      ['/* c */ rollback work and chain', ''],
      ['/*!50000 rollback and chain */', ''],
      ['commit and chain', '1'],
      ['begin', '1'],
      ['start transaction', '1'],
      ['call undo_it()', ''],
      ['call keep_it()', '1'],
      ['call keep_and_fail()', '1'],
      ['rollback; start transaction', ''],
      ['insert into e values (8); commit; begin', '1,8'],
      ['set @@completion_type = 1; commit', '1'],
      ["prepare p from 'commit and chain'; execute p", '1'],
    ])('poisons it: %j', async (ender, remains) => {
      await end(core);
      use({ multipleStatements: true });
      let runs = 0;
      const work = pool.transaction(
        async (tx) => {
          runs++;
          await insert(tx, 1);
          await settled(tx.query(ender));
          await settled(insert(tx, 2));
          throw new Error('of the function');
        },
        { retries: 3 },
      );
      const { error } = await settled(work);
      expect([error?.code, outcomeOf(error), runs]).toEqual(['TRANSACTION_LEFT', 'unknown', 1]);
      expect(await written()).toBe(remains);
    });

    it('poisons it as a prepared one, and one whose words come from its values', async () => {
      for (const ender of [
        (tx: Transaction) => tx.execute('commit and chain'),
        (tx: Transaction) => tx.query('?', [{ toSqlString: () => 'commit and chain' }]),
        (tx: Transaction) => tx.transaction(async (inner) => await inner.query('commit and chain')),
      ]) {
        await query('delete from e');
        const work = pool.transaction(async (tx) => {
          await insert(tx, 1);
          await settled(ender(tx) as Promise<unknown>);
          await settled(insert(tx, 2));
        });
        expect((await settled(work)).error?.code).toBe('TRANSACTION_LEFT');
        expect(await written()).toBe('1');
      }
    });

    it('takes its connection with it, and the locks that it holds', async () => {
      const work = pool.transaction(async (tx) => await tx.query('lock tables e write'));
      expect((await settled(work)).error?.code).toBe('TRANSACTION_LEFT');
      await expect.poll(() => countsOf(core)).toMatchObject({ total: 0 });
      // With the lock on it, a connection could read nothing else, and nobody else could read that.
      await pool.query('select * from untouched');
      expect(await written()).toBe('');
    });
  });

  it('statements that only might have ended it leave it as it was, and known', async () => {
    const refused = new Error('no');
    const work = async (tx: Transaction): Promise<void> => {
      await insert(tx, 1);
      await tx.query('savepoint mine');
      await tx.query('call adds()');
      await tx.query('rollback work to savepoint mine');
      await tx.query('set @a = 1');
      await tx.query(String.raw`insert into e select 2 from dual where '\'' <> '; commit'`);
      expect((await settled(tx.query('call adds(1)'))).error?.code).toBe('ER_SP_WRONG_NO_OF_ARGS');
    };
    await pool.transaction(work);
    expect(await written()).toBe('1,2');
    await query('delete from e');
    const { error } = await settled(pool.transaction(async (tx) => (await work(tx), await Promise.reject(refused))));
    expect([error, outcomeOf(error), await written()]).toEqual([refused, 'rejected', '']);
    expect(countsOf(core)).toMatchObject({ total: 1, idle: 1 });
  });

  it('what is sent at the same time as a statement that meets a deadlock is not committed on its own', async () => {
    await pool.query('insert into e values (1), (2)');
    let [other, holds] = [(): void => {}, (): void => {}];
    const blocked = new Promise<void>((resolve) => (other = resolve));
    const held = new Promise<void>((resolve) => (holds = resolve));
    const rival = pool.transaction(async (tx) => {
      await tx.query('update e set n = n where n = 2');
      await tx.query('update e set n = n + 100 where n = 200');
      holds();
      await blocked;
      await tx.query('update e set n = n where n = 1');
    });
    const work = pool.transaction(async (tx) => {
      // Each has what the other one asks for next: whoever came late would only wait.
      await held;
      await tx.query('update e set n = n where n = 1');
      other();
      await Promise.all([tx.query('update e set n = n where n = 2'), insert(tx, 7)]);
    });
    const [won, lost] = await Promise.all([settled(rival), settled(work)]);
    const victim = [won, lost].filter(({ error }) => error !== undefined);
    expect(victim.map(({ error }) => error!.code)).toEqual(['ER_LOCK_DEADLOCK']);
    expect(await written()).toBe(lost.error === undefined ? '1,2,7' : '1,2');
  });

  it('a ROLLBACK that could not undo everything leaves the outcome unknown', async () => {
    const refused = new Error('no');
    const work = pool.transaction(async (tx) => {
      await tx.query('insert into plain values (1)');
      throw refused;
    });
    const { error } = await settled(work);
    expect([error, outcomeOf(error)]).toEqual([refused, 'unknown']);
  });

  describe('a marker', () => {
    it.each([
      ['with_isam', 'MyISAM, which keeps no transactions'],
      ['in_memory', 'MEMORY, which keeps no transactions'],
      ['shown', 'a view'],
      ['loose', 'without a unique index'],
      ['pair', 'without a unique index'],
      ['short', 'without a unique index'],
      ['renamed', 'keeps another id than it is given'],
      ['numbered', 'keeps another id than it is given'],
    ])('in the table %j would tell the wrong thing, which is said before COMMIT', async (marker, why) => {
      const work = async (tx: Transaction): Promise<void> => {
        if (marker === 'numbered') await tx.query("set sql_mode = ''");
        await insert(tx, 1);
      };
      const { error } = await settled(pool.transaction(work, { marker }));
      expect([error?.code, outcomeOf(error)]).toEqual(['INVALID_OPTION', 'rejected']);
      expect(error?.message).toContain(why);
      expect(await written()).toBe('');
    });

    it('in a temporary table of the same name is refused', async () => {
      const work = pool.transaction(
        async (tx) => {
          await insert(tx, 1);
          await tx.query('create temporary table markers (id varchar(64) primary key) engine=InnoDB');
        },
        { marker: 'markers' },
      );
      expect((await settled(work)).error?.message).toContain('a temporary one');
      expect(await written()).toBe('');
    });

    it.each([
      ['markers', {}],
      ['a_text', {}],
      ['other.markers', {}],
      [
        'markers',
        {
          queryFormat: (sql: string, values: Record<string, string>) =>
            sql.replace(/:(\w+)/g, (_, name: string) => values[name] ?? ''),
        },
      ],
      ['markers', { typeCast: false, rowsAsArray: true, namedPlaceholders: true }],
      ['markers', { nestTables: true }],
    ])('in the table %j is written, and found by another connection, with the options %o', async (marker, extra) => {
      await end(core);
      use(extra);
      let closed = false;
      core.on('acquire', (connection) => {
        const { stream: socket } = connection as unknown as { stream: Socket };
        const write = socket.write.bind(socket) as (chunk: Buffer, told: unknown) => boolean;
        // The answer to the first COMMIT is never read.
        socket.write = (chunk: Buffer, told: unknown): boolean => {
          if (chunk.includes('COMMIT') && !closed) {
            closed = true;
            socket.pause();
            void expect
              .poll(() => written())
              .toBe('1')
              .then(() => socket.destroy(new Error('cut')));
          }
          return write(chunk, told);
        };
      });
      const work = pool.transaction(
        async (tx) => {
          await tx.query('use other');
          await tx.query(`insert into ${lab.connection!.database}.e values (1)`);
          return 'done';
        },
        { marker },
      );
      expect([await work, closed]).toEqual(['done', true]);
      const table = marker.includes('.') ? marker : `${lab.connection!.database}.${marker}`;
      expect(await query(`select id from ${table}`)).toHaveLength(1);
      await query(`delete from ${table}`);
    });
  });
});
