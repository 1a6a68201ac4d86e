import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, Transaction } from '../../src/pg/index.js';
import { makePool, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
const SETUP = `create table w (n int); grant all on w to app; create extension dblink;
  create table marker (id text primary key); create schema other;
  create table other.marker (id text primary key);
  create unlogged table unlogged (id text primary key);
  create table whole (id text primary key) partition by hash (id);
  create table part partition of whole for values with (modulus 1, remainder 0);
  create table half (id text primary key) partition by list (id);
  create unlogged table half_part partition of half default;
  create view shown as select * from marker;
  create table loose (id text);
  create table pair (id text, n int default 1, primary key (id, n));
  create table partly (id text, n int); create unique index on partly (id) where n > 0;
  create function keep_out() returns trigger language plpgsql as 'begin return null; end';
  create table closed (id text primary key);
  create trigger t before insert on closed for each row execute function keep_out();
  create function rename() returns trigger language plpgsql as 'begin new.id = gen_random_uuid(); return new; end';
  create table renamed (id text primary key);
  create trigger t before insert on renamed for each row execute function rename();
  create function empty() returns trigger language plpgsql as
    $$ begin execute format('delete from %I', tg_table_name); return null; end $$;
  create table emptied (id uuid primary key);
  create trigger t after insert on emptied for each row execute function empty();
  create table emptied_late (id text primary key);
  create constraint trigger t after insert on emptied_late deferrable initially deferred
    for each row execute function empty();
  create table has_no_id (n int); create table slow (n int);
  create function wait() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(1); return new; end';
  create constraint trigger late after insert on slow deferrable initially deferred for each row execute function wait();
  grant all on schema other to app; grant all on all tables in schema public, other to app;
  create function conflict() returns void language plpgsql as
    $$ begin raise exception 'could not serialize' using errcode = '40001'; end $$;
  create procedure commits() language plpgsql as 'begin commit; end'`;

beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
  await lab.hosts[0]!.database.query(SETUP);
}, 60_000);
beforeEach(async () => {
  await lab.hosts[0]!.database.query('truncate w, marker, other.marker');
  pool = makePool(lab, { max: 2 });
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

async function written(): Promise<string> {
  const found = await lab.hosts[0]!.database.query<{ n: number }>('select n from w order by n');
  return found.map(({ n }) => n).join();
}

const insert = async (tx: Transaction, n: number): Promise<unknown> => await tx.query('insert into w values ($1)', [n]);

describe('a statement that ends the transaction, and begins another one in the same breath,', () => {
  it.each([
    ['rollback and chain', ''],
    ['/* c */ ROLLBACK WORK AND CHAIN', ''],
    ['abort and chain', ''],
    ['commit and chain', '1'],
    ['end transaction and chain', '1'],
    ['rollback; begin', ''],
    ['commit; start transaction', '1'],
    ['select 1; commit and chain; select 2', '1'],
    ["select '--'; rollback and chain", ''],
    // It ends nothing, but is no part of the function's either.
    ['begin', ''],
    ['start transaction', ''],
  ])('poisons it: %j', async (ender, remains) => {
    for (const how of [ender, { text: ender, queryMode: 'extended' as const }]) {
      if (typeof how === 'object' && ender.includes(';')) continue;
      await lab.hosts[0]!.database.query('truncate w');
      const work = pool.transaction(async (tx) => {
        await insert(tx, 1);
        await tx.query(how).catch(() => {});
        await insert(tx, 2).catch(() => {});
        return 'done';
      });
      const { error } = await settled(work);
      expect([error?.code, outcomeOf(error)]).toEqual(['TRANSACTION_LEFT', 'unknown']);
      expect(await written()).toBe(remains);
    }
  });

  it('poisons it, also as a query object that answers by events, and as one prepared before', async () => {
    const work = async (tx: Transaction): Promise<void> => {
      await insert(tx, 1);
      const query = tx.query(new pg.Query('commit and chain') as never);
      await new Promise(
        (resolve) => void query.then((it) => (it as unknown as NodeJS.EventEmitter).once('end', resolve)),
      );
      await insert(tx, 2);
    };
    expect((await settled(pool.transaction(work))).error?.code).toBe('TRANSACTION_LEFT');
    for (const text of ['commit and chain', undefined]) {
      const prepared = pool.transaction(async (tx) => await tx.query({ name: 'ender', text } as never));
      expect((await settled(prepared)).error?.code).toBe('TRANSACTION_LEFT');
    }
    expect(await written()).toBe('1');
  });

  it('poisons it in a transaction that had failed', async () => {
    const work = async (tx: Transaction): Promise<void> => {
      await insert(tx, 1);
      await tx.query('select 1 / 0').catch(() => {});
      await tx.query('commit and chain').catch(() => {});
      await insert(tx, 2).catch(() => {});
    };
    expect((await settled(pool.transaction(work))).error?.code).toBe('TRANSACTION_LEFT');
    expect(await written()).toBe('');
  });
});

it('savepoints of the application’s own, a refused COMMIT of a procedure, and statements by name alone are its own affair', async () => {
  await pool.transaction(async (tx) => {
    await insert(tx, 1);
    await tx.query('savepoint "to"; insert into w values (2)');
    await tx.query('select 1 / 0').catch(() => {});
    await tx.query('rollback /* and chain */ to "to"');
    await tx.query('savepoint a');
    expect((await settled(tx.query('call commits()'))).error?.code).toBe('2D000');
    await tx.query('rollback work to savepoint a; insert into w values (3)');
    await tx.query({ name: 'one', text: 'insert into w values ($1)', values: [4] });
    await tx.query({ name: 'one', values: [5] } as never);
  });
  expect(await written()).toBe('1,3,4,5');
  expect((await settled(pool.transaction((tx) => tx.query(null as never)))).error).toBeInstanceOf(TypeError);
});

describe('an error that tells of another connection', () => {
  const FAR = "select from dblink('host=127.0.0.1 port=1 user=a password=b', 'select 1') as t(a int)";

  it('is undone by a savepoint like any other', async () => {
    await pool.transaction(async (tx) => {
      await insert(tx, 1);
      expect((await settled(tx.transaction((inner) => inner.query(FAR)))).error?.code).toBe('08001');
      await insert(tx, 2);
    });
    expect(await written()).toBe('1,2');
  });

  it('is no reason for a second run', async () => {
    let runs = 0;
    const work = async (tx: Transaction): Promise<unknown> => (runs++, await tx.query(FAR));
    expect((await settled(pool.transaction(work, { retries: 3 }))).error?.code).toBe('08001');
    expect(runs).toBe(1);
  });
});

it('a conflict that was undone with its nested transaction is no reason to run again for another error', async () => {
  let runs = 0;
  const own = new Error('the order is not valid');
  const work = async (tx: Transaction): Promise<void> => {
    runs++;
    await tx.transaction((inner) => inner.query('select conflict()')).catch(() => {});
    throw own;
  };
  expect((await settled(pool.transaction(work, { retries: 3 }))).error).toBe(own);
  expect(runs).toBe(1);
});

it('what another pool failed with says the same after it has passed through a transaction', async () => {
  const other = makePool(lab);
  const killed = async (): Promise<void> => {
    const client = await other.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const statement = client.query('insert into w values (9); select pg_sleep(30)');
    statement.catch(() => {});
    await lab.hosts[0]!.database.query(`select pg_terminate_backend(${rows[0]!.pid})`);
    try {
      await statement;
    } finally {
      client.release(true);
    }
  };
  const { error } = await settled(pool.transaction(killed));
  expect([error?.code, outcomeOf(error)]).toEqual(['57P01', 'unknown']);
  await other.end();
});

it('the signal ends the wait for BEGIN on a connection whose server process hangs', async () => {
  const client = await pool.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  client.release();
  process.kill(rows[0]!.pid, 'SIGSTOP');
  try {
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = settled(pool.transaction((tx) => tx.query('select 1'), { signal: controller.signal }));
    await new Promise(setImmediate);
    controller.abort(reason);
    expect((await work).error).toBe(reason);
  } finally {
    process.kill(rows[0]!.pid, 'SIGCONT');
  }
});

describe('a marker', () => {
  it.each([
    ['unlogged', 'an unlogged one'],
    ['half', 'an unlogged one'],
    ['shown', 'a view'],
    ['loose', 'without a unique index'],
    ['pair', 'without a unique index'],
    ['partly', 'without a unique index'],
    ['closed', 'whose trigger keeps the row out'],
    ['has_no_id', 'no column id'],
    ['renamed', 'keeps another id than it is given'],
    ['emptied', 'with a trigger'],
    ['emptied_late', 'with a trigger'],
  ])('in the table %j would tell the wrong thing, which is said before COMMIT', async (marker, why) => {
    const { error } = await settled(pool.transaction((tx) => insert(tx, 1), { marker }));
    expect([error?.code, outcomeOf(error)]).toEqual(['INVALID_OPTION', 'rejected']);
    expect(error?.message).toContain(why);
    expect(await written()).toBe('');
  });

  it.each(['marker', 'public.marker', 'whole'])('in the table %j is written', async (marker) => {
    await pool.transaction((tx) => insert(tx, 1), { marker });
    const rows = await lab.hosts[0]!.database.query(`select from ${marker}`);
    expect([await written(), rows.length]).toEqual(['1', 1]);
  });

  it('in a temporary table of the same name is refused, also on a connection where it had been well before', async () => {
    await pool.transaction((tx) => insert(tx, 1), { marker: 'marker' });
    const work = pool.transaction(
      async (tx) => {
        await tx.query('create temporary table marker (id text primary key) on commit drop');
        await insert(tx, 2);
      },
      { marker: 'marker' },
    );
    expect((await settled(work)).error?.message).toContain('a temporary one');
    expect(await written()).toBe('1');
  });

  it('is looked for where it was written, whatever the function’s search path was', async () => {
    const { database } = lab.hosts[0]!;
    const holder = new pg.Client({ host: database.address, port: database.port, ...lab.connection });
    await holder.connect();
    await holder.query('select pg_advisory_lock(1)');
    const done = pool.transaction(
      async (tx) => {
        await tx.query('set local search_path to other, public');
        await tx.query('insert into slow values (1)');
        return 'done';
      },
      { marker: 'marker' },
    );
    const committing = "select from pg_stat_activity where query = 'COMMIT' and wait_event = 'advisory'";
    await expect.poll(async () => (await holder.query(committing)).rowCount).toBe(1);
    // The server goes on with its COMMIT; only its client is gone.
    lab.hosts[0]!.kill();
    await lab.hosts[0]!.restore();
    await holder.end();
    expect([await done, (await database.query('select from slow')).length]).toEqual(['done', 1]);
    expect(await database.query('select from other.marker')).toHaveLength(1);
  });
});
