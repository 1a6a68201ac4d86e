import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CommitUnknownError, outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Pool, type Transaction } from '../../src/pg/index.js';
import { errorsApart } from './errors-apart.js';
import { makePool, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
const SETUP = `create table w (n int primary key deferrable initially deferred);
  create table marker (id text primary key); grant all on w, marker to app;
  create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return new; end';
  create table s (n int); grant all on s to app;
  create constraint trigger late after insert on s deferrable initially deferred for each row execute function slow()`;

beforeAll(async () => {
  lab = await startServers();
  for (const { database } of lab.hosts) await database.query(SETUP);
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  for (const { database } of lab.hosts) await database.query('truncate w, marker, s');
  pool = makePool(lab, { max: 2 });
});
afterEach(async () => {
  for (const host of lab.hosts) await host.restore();
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

async function rows(table = 'w', index = 0): Promise<number[]> {
  const found = await lab.hosts[index]!.database.query<{ n: number }>(`select n from ${table} order by n`);
  return found.map(({ n }) => n);
}

const insert = async (tx: Transaction, n: number): Promise<unknown> => await tx.query('insert into w values ($1)', [n]);

async function ending(): Promise<void> {
  const sql = "select from pg_stat_activity where query = 'COMMIT' and wait_event = 'PgSleep'";
  await expect.poll(async () => (await lab.hosts[0]!.database.query(sql)).length).toBe(1);
}

/** COMMIT takes half a second, in which this happens. */
async function duringCommit(happen: () => Promise<void> | void, marker?: string): Promise<{ error?: Error }> {
  const done = settled(pool.transaction(async (tx) => await tx.query('insert into s values (1)'), { marker }));
  await ending();
  await happen();
  return await done;
}

describe('a transaction', () => {
  it('tells what it came to, also where who had its connection before gives that back once more', async () => {
    const client = await pool.connect();
    client.release();
    const done = await settled(
      pool.transaction(async (tx) => {
        await insert(tx, 1);
        client.release();
        return 'done';
      }),
    );
    expect([done.value, await rows()]).toEqual(['done', [1]]);
  });

  it('is committed with what it returns, with its level and access mode', async () => {
    const levels = await pool.transaction(
      async (tx) => {
        const { rows: shown } = await tx.query<{ level: string; mode: string }>(
          `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as mode`,
        );
        return shown[0];
      },
      { isolationLevel: 'serializable', accessMode: 'read only' },
    );
    expect(levels).toEqual({ level: 'serializable', mode: 'on' });
    await pool.transaction(async (tx) => await insert(tx, 1));
    expect(await rows()).toEqual([1]);
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  it('is rolled back by what its function throws, which the caller gets', async () => {
    const own = new Error('mine');
    const work = async (tx: Transaction): Promise<void> => {
      await insert(tx, 1);
      throw own;
    };
    expect((await settled(pool.transaction(work))).error).toBe(own);
    expect(outcomeOf(own)).toBe('rejected');
    expect(await rows()).toEqual([]);
  });

  it('whose COMMIT is answered with ROLLBACK fails', async () => {
    const { error } = await settled(
      pool.transaction(async (tx) => {
        await insert(tx, 1);
        await tx.query('select 1 / 0').catch(() => {});
      }),
    );
    expect(error).toMatchObject({ code: 'TRANSACTION_FAILED', cause: { code: '22012' } });
    expect(await rows()).toEqual([]);
  });

  it('whose COMMIT is answered with ROLLBACK fails, also where an error and what it does to the transaction come apart', async () => {
    const proxy = await errorsApart(portOf(lab, 0));
    const follow = { resolver: { address: '127.0.0.1' } };
    const own = new Pool({ ...lab.connection, host: 'db.example.com', port: proxy.port, max: 1, follow });
    try {
      const { error } = await settled(own.transaction(async (tx) => await tx.query('select 1 / 0').catch(() => {})));
      expect(error).toMatchObject({ code: 'TRANSACTION_FAILED', cause: { code: '22012' } });
    } finally {
      await own.end();
      await proxy.close();
    }
  });

  it('fails with what the server says at COMMIT', async () => {
    const work = async (tx: Transaction): Promise<void> => void (await Promise.all([insert(tx, 1), insert(tx, 1)]));
    expect((await settled(pool.transaction(work))).error).toMatchObject({ code: '23505' });
    expect(await rows()).toEqual([]);
  });

  it('that its function ends is poisoned, and never run again', async () => {
    let runs = 0;
    const { error } = await settled(
      pool.transaction(
        async (tx) => {
          runs++;
          await insert(tx, 1);
          await tx.query('commit').catch(() => {});
          await insert(tx, 2);
        },
        { retries: 3 },
      ),
    );
    expect(error?.code).toBe('TRANSACTION_LEFT');
    expect([runs, await rows()]).toEqual([1, [1]]);
  });

  it('nests as a savepoint, of which only what failed is undone', async () => {
    await pool.transaction(async (tx) => {
      await insert(tx, 1);
      await settled(
        pool.transaction(async (inner) => {
          await insert(inner, 2);
          await inner.query('select 1 / 0');
        }),
      );
      await tx.transaction(async (inner) => await insert(inner, 3));
    });
    expect(await rows()).toEqual([1, 3]);
    expect(pool.totalCount).toBe(1);
  });

  it('keeps its own statements out of a nested one that is open, with which they would be undone', async () => {
    await pool.transaction(async (tx) => {
      const nested = tx.transaction(async (inner) => {
        await insert(inner, 1);
        expect((await settled(insert(tx, 2))).error).toMatchObject({ code: 'TRANSACTION_NESTED' });
        throw new Error('undo it');
      });
      expect((await settled(nested)).error?.message).toBe('undo it');
      await insert(tx, 3);
    });
    expect(await rows()).toEqual([3]);
  });

  it('shares its signal with many others, and Node warns of nothing', async () => {
    // A warning of Node's fails the test: console.setup.ts.
    const controller = new AbortController();
    const reason = new Error('enough');
    const works = Array.from({ length: 20 }, () =>
      settled(pool.transaction((tx) => tx.query('select pg_sleep(30)'), { signal: controller.signal })),
    );
    const { database } = lab.hosts[0]!;
    const asleep = "from pg_stat_activity where wait_event = 'PgSleep'";
    await expect.poll(async () => (await database.query(`select ${asleep}`)).length).toBe(pool.options.max);
    controller.abort(reason);
    expect((await Promise.all(works)).map(({ error }) => error)).toEqual(Array(20).fill(reason));
    await database.query(`select pg_terminate_backend(pid) ${asleep}`);
  });

  it('ends with its signal, also in the middle of a statement', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = settled(
      pool.transaction(
        async (tx) => {
          await insert(tx, 1);
          setImmediate(() => controller.abort(reason));
          // The server itself finds out later that nobody listens any more.
          await tx.query('select pg_sleep(0.5)');
        },
        { signal: controller.signal },
      ),
    );
    expect((await work).error).toBe(reason);
    expect(await rows()).toEqual([]);
    expect(pool.totalCount).toBe(0);
  });
});

describe('a second run', () => {
  it('follows a serialization failure', async () => {
    let runs = 0;
    await lab.hosts[0]!.database.query('insert into s values (1)');
    const value = await pool.transaction(
      async (tx) => {
        const { rows: before } = await tx.query<{ n: number }>('select n from s');
        if (++runs === 1) await pool.query('update s set n = n + 1');
        await tx.query('update s set n = n + 10');
        return before[0]?.n;
      },
      { isolationLevel: 'repeatable read', retries: 1 },
    );
    expect([value, runs, await rows('s')]).toEqual([2, 2, [12]]);
  });

  it('follows a deadlock', async () => {
    await lab.hosts[0]!.database.query('insert into w values (1), (2)');
    const both = [
      [1, 2],
      [2, 1],
    ].map((order) =>
      pool.transaction(
        async (tx) => {
          for (const n of order) {
            await tx.query('select from w where n = $1 for update', [n]);
            await tx.query('select pg_sleep(0.1)');
          }
        },
        { retries: 3 },
      ),
    );
    await Promise.all(both);
  });

  it('follows a lost connection, on the next server, if it was asked for', async () => {
    const work = (retries: number): Promise<number> =>
      pool.transaction(
        async (tx) => {
          await insert(tx, 1);
          const port = await serverOf(tx);
          if (port === portOf(lab, 0)) {
            lab.hosts[0]!.kill();
            void lab.move(lab.hosts[1]!);
            await tx.query('select pg_sleep(0.5)');
          }
          return port;
        },
        { retries },
      );
    const { error } = await settled(work(0));
    // COMMIT was never sent, so this is known.
    expect(outcomeOf(error)).toBe('rejected');
    await resetLab(lab);
    await pool.endpoint!.refresh();
    expect(await work(1)).toBe(portOf(lab, 1));
    expect([await rows('w', 0), await rows('w', 1)]).toEqual([[], [1]]);
  });
});

describe('a COMMIT whose answer is lost', () => {
  it('is known to be done where the same server says so, which has its own record', async () => {
    const { error } = await duringCommit(() => {
      // The server goes on with its COMMIT; only its client is gone.
      lab.hosts[0]!.kill();
      void lab.hosts[0]!.restore();
    });
    expect([error, await rows('s')]).toEqual([undefined, [1]]);
  });

  it('is known not to be done where the same server crashed in it, and was started again', async () => {
    const { error } = await duringCommit(async () => {
      await lab.hosts[0]!.database.kill();
      await lab.hosts[0]!.database.restart();
    });
    expect(error?.message).toMatch(/ECONNRESET|EPIPE|Connection terminated unexpectedly/);
    expect(outcomeOf(error)).toBe('rejected');
    expect(await rows('s')).toEqual([]);
  });

  it('is known by its marker, in either way', async () => {
    const lost = await duringCommit(() => {
      lab.hosts[0]!.kill();
      void lab.hosts[0]!.restore();
    }, 'marker');
    expect([lost.error, await rows('s')]).toEqual([undefined, [1]]);
    const crashed = await duringCommit(async () => {
      await lab.hosts[0]!.database.kill();
      await lab.hosts[0]!.database.restart();
    }, 'public.marker');
    expect(outcomeOf(crashed.error)).toBe('rejected');
    expect(await rows('s')).toEqual([1]);
  });

  it.each([undefined, 'marker'])('is unknown on another server, with the marker %s', async (marker) => {
    const { error } = await duringCommit(async () => {
      lab.hosts[0]!.kill();
      await lab.move(lab.hosts[1]!);
    }, marker);
    expect(error).toBeInstanceOf(CommitUnknownError);
    expect(error).toMatchObject({ code: 'COMMIT_UNKNOWN', cause: expect.any(Error) });
    expect(outcomeOf(error)).toBe('unknown');
  });
});
