import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CommitUnknownError, outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions, PromisePool } from '../../src/mysql2/index.js';
import type { Transaction } from '../../src/mysql2/promise.js';
import { countsOf, end, makePool, moved, onServers, portOf, resetLab, settled, startServers } from './support.js';

let lab: Lab;
let core: Pool;
let pool: PromisePool;

const make = (extra: PoolOptions = {}): void => {
  core = makePool(lab, extra);
  pool = core.promise();
};
const insert = async (tx: Pick<Transaction, 'query'>, n: number): Promise<unknown> =>
  await tx.query('insert into tx_t values (?)', [n]);
const written = async (index: number = 0): Promise<number[]> => {
  const rows = await lab.hosts[index]!.database.query<{ n: number }>('select n from tx_t order by n');
  return rows.map(({ n }) => n);
};

onServers('pool.transaction on MySQL’s protocol', () => {
  beforeAll(async () => {
    lab = await startServers();
    for (const { database } of lab.hosts) {
      await database.query('create table tx_t (n int primary key)');
      await database.query('create table markers (id varchar(64) primary key)');
    }
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    for (const { database } of lab.hosts) {
      await database.query('delete from tx_t');
      await database.query('delete from markers');
    }
    make();
  });
  afterEach(async () => {
    await end(core);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('commits what its function did, and returns what it returned', async () => {
    const result = await pool.transaction(async (tx) => {
      await insert(tx, 1);
      await tx.execute('insert into tx_t values (?)', [2]);
      expect(await written()).toEqual([]);
      return 'done';
    });
    expect([result, await written()]).toEqual(['done', [1, 2]]);
    expect(countsOf(core)).toMatchObject({ total: 1, idle: 1 });
  });

  it('rolls back what its function did before it threw', async () => {
    const reason = new Error('no');
    const work = pool.transaction(async (tx) => {
      await insert(tx, 1);
      throw reason;
    });
    expect((await settled(work)).error).toBe(reason);
    expect(await written()).toEqual([]);
    expect(countsOf(core)).toMatchObject({ total: 1, idle: 1 });
  });

  it('has the isolation level and the access mode that were asked for, and only it', async () => {
    // What the server shows there is as old as 100 ms, and is not renewed while it is asked more often.
    const level = async (): Promise<unknown> =>
      await lab.hosts[0]!.database.query('select trx_isolation_level as level from information_schema.innodb_trx');
    await pool.transaction(
      async (tx) => {
        await tx.query('select * from tx_t');
        await expect.poll(level, { interval: 200 }).toEqual([{ level: 'SERIALIZABLE' }]);
      },
      { isolationLevel: 'serializable' },
    );
    await pool.transaction(async (tx) => {
      await tx.query('select * from tx_t');
      await expect.poll(level, { interval: 200 }).toEqual([{ level: 'REPEATABLE READ' }]);
    });
    const { error } = await settled(pool.transaction((tx) => insert(tx, 1), { accessMode: 'read only' }));
    expect([error?.code, outcomeOf(error)]).toEqual(['ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION', 'rejected']);
    await pool.transaction((tx) => insert(tx, 1));
  });

  it('is a savepoint inside of another one, which undoes only its own part', async () => {
    await pool.transaction(async (tx) => {
      await insert(tx, 1);
      const inner = settled(
        pool.transaction(async (nested) => {
          await insert(nested, 2);
          await insert(nested, 1);
        }),
      );
      expect((await inner).error?.code).toBe('ER_DUP_ENTRY');
      await tx.transaction((nested) => insert(nested, 3));
    });
    expect(await written()).toEqual([1, 3]);
    expect(countsOf(core).total).toBe(1);
  });

  it.each([
    ['DDL', 'create table if not exists other (n int)'],
    ['DDL that fails, after it has committed', 'create table tx_t (n int)'],
    ['the application’s own COMMIT', 'commit'],
    ['the application’s own BEGIN', 'begin'],
  ])('is poisoned when a statement ended it: %s', async (_, sql) => {
    const work = pool.transaction(
      async (tx) => {
        await insert(tx, 1);
        await settled(tx.query(sql));
        await insert(tx, 2);
      },
      { retries: 3 },
    );
    const { error } = await settled(work);
    expect([error?.code, outcomeOf(error)]).toEqual(['TRANSACTION_LEFT', 'unknown']);
    expect(await written()).toEqual([1]);
  });

  it('is poisoned after a deadlock, and run again as often as it is asked to', async () => {
    await pool.query('insert into tx_t values (1), (2)');
    const deadlock = async (retries: number): Promise<unknown[]> => {
      const runs = [0, 0];
      let arrived = (): void => {};
      const bothHoldOne = new Promise<void>((resolve) => (arrived = resolve));
      let there = 0;
      const work = async (index: number): Promise<unknown> =>
        await pool.transaction(
          async (tx) => {
            runs[index]!++;
            await tx.query('update tx_t set n = n where n = ?', [index + 1]);
            if (++there === 2) arrived();
            await bothHoldOne;
            const second = await settled(tx.query('update tx_t set n = n where n = ?', [2 - index]));
            if (second.error === undefined) return;
            // It would be committed on its own: the transaction is gone.
            await insert(tx, 100 + index);
          },
          { retries },
        );
      const results = await Promise.all([settled(work(0)), settled(work(1))]);
      return [results.filter(({ error }) => error !== undefined).map(({ error }) => error!.code), runs[0]! + runs[1]!];
    };
    expect(await deadlock(0)).toEqual([['ER_LOCK_DEADLOCK'], 2]);
    expect(await deadlock(2)).toEqual([[], 3]);
    expect(await written()).toEqual([1, 2]);
  });

  it('whose connection is lost before COMMIT is undone, and run again on the new server if it is asked to', async () => {
    const runs: unknown[] = [];
    const work = pool.transaction(
      async (tx) => {
        const [rows] = await tx.query('select @@port as port');
        runs.push((rows as { port: number }[])[0]!.port);
        await insert(tx, 1);
        if (runs.length > 1) return;
        const move = moved(core);
        lab.hosts[0]!.kill();
        await lab.move(lab.hosts[1]!);
        await move;
        await insert(tx, 2);
      },
      { retries: 1 },
    );
    await work;
    expect(runs).toEqual([portOf(lab, 0), portOf(lab, 1)]);
    expect([await written(0), await written(1)]).toEqual([[], [1]]);
  });

  it('whose connection is lost before COMMIT had no effect', async () => {
    const work = pool.transaction(async (tx) => {
      await insert(tx, 1);
      lab.hosts[0]!.kill();
      await insert(tx, 2);
    });
    expect(outcomeOf((await settled(work)).error)).toBe('rejected');
    expect(await written()).toEqual([]);
    await lab.hosts[0]!.restore();
  });

  it('ends at once when its signal says so, in the middle of a statement', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const work = pool.transaction(
      async (tx) => {
        await insert(tx, 1);
        const sleeping = tx.query('select sleep(30)');
        stop.abort(reason);
        await sleeping;
      },
      { signal: stop.signal },
    );
    expect((await settled(work)).error).toBe(reason);
    expect(await written()).toEqual([]);
    await expect.poll(() => countsOf(core)).toMatchObject({ total: 0, waiting: 0 });
  });

  describe('whose answer to COMMIT is lost', () => {
    interface Sent {
      readonly stream: Socket;
      readonly threadId: number;
    }

    /** Runs a transaction up to its COMMIT, which reaches the server or does not; its answer is never read. */
    async function lose(
      reaches: boolean,
      happen: (sent: Sent) => Promise<unknown>,
      options: { marker?: string } = {},
    ): ReturnType<typeof settled> {
      const sent = new Promise<Sent>((resolve) => {
        core.on('acquire', (connection) => {
          const { stream, threadId } = connection as unknown as Sent;
          const write = stream.write.bind(stream) as (chunk: Buffer, ...rest: unknown[]) => boolean;
          stream.write = (chunk: Buffer, ...rest: unknown[]): boolean => {
            if (!chunk.includes('COMMIT')) return write(chunk, ...rest);
            stream.pause();
            resolve({ stream, threadId });
            return reaches ? write(chunk, ...rest) : true;
          };
        });
      });
      const work = settled(
        pool.transaction(async (tx) => {
          await insert(tx, 1);
          return 'done';
        }, options),
      );
      const commit = await sent;
      if (reaches) await expect.poll(() => written()).toEqual([1]);
      await happen(commit);
      return await work;
    }

    const cut = ({ stream }: Sent): Promise<void> => {
      stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      return Promise.resolve();
    };

    it('is unknown, and the error says how it could be known', async () => {
      const { error } = await lose(true, cut);
      expect(error).toBeInstanceOf(CommitUnknownError);
      expect(error?.message).toContain('with the option marker, its row would tell');
      expect(outcomeOf(error)).toBe('unknown');
    });

    it('is done, if its marker is there', async () => {
      const { value } = await lose(true, cut, { marker: 'markers' });
      expect([value, await written()]).toEqual(['done', [1]]);
    });

    it('is undone, if its marker is not there, and cannot come any more', async () => {
      const kill = async ({ threadId, stream }: Sent): Promise<void> => {
        await lab.hosts[0]!.database.query(`kill ${threadId}`);
        stream.resume();
      };
      const { error } = await lose(false, kill, { marker: 'markers' });
      expect([outcomeOf(error), await written()]).toEqual(['rejected', []]);
    });

    it('is unknown on another server, where its marker is not there', async () => {
      const leave = async (sent: Sent): Promise<void> => {
        lab.hosts[0]!.kill();
        await lab.move(lab.hosts[1]!);
        await cut(sent);
      };
      const { error } = await lose(true, leave, { marker: 'markers' });
      expect(error?.code).toBe('COMMIT_UNKNOWN');
    });
  });
});
