import { beforeEach, describe, expect, it } from 'vitest';
import type { TransactionOptions } from '../../src/failover/transaction-options.js';
import { CommitUnknownError, outcomeOf } from '../../src/index.js';
import { type Failure, log } from './fake-session.js';
import { fail, lost, once, refused, reset, server, settled, type Tx } from './transaction-support.js';

beforeEach(reset);

describe('a transaction', () => {
  it('is begun, committed and given back, and its value is the function’s', async () => {
    expect(await once(async (tx) => await tx.query('select 1').then(() => 7))).toBe(7);
    expect(log).toEqual(['BEGIN', 'select 1', 'COMMIT', 'release']);
  });

  it('is rolled back when the function throws, which was known before COMMIT', async () => {
    const own = new Error('no');
    const { error } = await settled(once(async () => await Promise.reject(own)));
    expect(error).toBe(own);
    expect(outcomeOf(own)).toBe('rejected');
    expect(log).toEqual(['BEGIN', 'ROLLBACK', 'release']);
  });

  it('fails where COMMIT is answered with ROLLBACK, since a statement’s error was swallowed', async () => {
    const failure = fail('insert', refused('23505'));
    const { error } = await settled(once(async (tx) => await tx.query('insert').catch(() => {})));
    expect(error).toMatchObject({ code: 'TRANSACTION_FAILED', cause: failure.error });
    expect(outcomeOf(error)).toBe('rejected');
  });

  it('is poisoned by a statement that ends it, and never run again', async () => {
    let runs = 0;
    const { error } = await settled(
      once(
        async (tx) => {
          runs++;
          await tx.query('commit').catch(() => {});
          await tx.query('insert');
        },
        { retries: 3 },
      ),
    );
    expect(error?.code).toBe('TRANSACTION_LEFT');
    expect(outcomeOf(error)).toBe('unknown');
    expect([runs, log]).toEqual([1, ['BEGIN', 'commit', 'release']]);
  });

  it('is poisoned when the server rolls it back by itself, even if the function does not look', async () => {
    fail('insert', refused('40001', 'gone'));
    const swallow = async (tx: Tx): Promise<void> => {
      await tx.query('insert').catch(() => {});
      await tx.query('update').catch(() => {});
    };
    expect((await settled(once(swallow))).error?.code).toBe('40001');
    expect(log).toEqual(['BEGIN', 'insert', 'release']);
  });

  it.each([
    ['insert', 'rejected'],
    ['commit and chain', 'unknown'],
  ])('that loses its connection after %j, and then cannot send a statement, is %s', async (sql, outcome) => {
    const unsent = new Error('Client was closed and is not queryable');
    for (const failure of [unsent, refused('25006').error]) {
      fail('update', { kind: failure === unsent ? 'lost' : 'refused', error: failure });
      const work = async (tx: Tx): Promise<void> => {
        await tx.query(sql);
        await tx.query('update').catch((error: Error) => {
          if (failure === unsent) throw error;
        });
      };
      expect(outcomeOf((await settled(once(work))).error)).toBe(outcome);
    }
  });

  it('takes no statement after its function', async () => {
    let late: Promise<void> | undefined;
    let kept: Tx | undefined;
    await once(async (tx) => void (kept = tx));
    late = kept!.query('insert');
    expect((await settled(late)).error?.code).toBe('TRANSACTION_OVER');
  });

  it('is not committed while a nested one still runs, which then runs nothing more anywhere', async () => {
    let go = (): void => {};
    const going = new Promise<void>((resolve) => (go = resolve));
    const nested = async (inner: Tx): Promise<void> => {
      await inner.query('insert');
      await going;
      await inner.query('update');
    };
    for (const outcome of ['ends', 'throws']) {
      log.length = 0;
      let late: Promise<{ error?: { code?: string } }> | undefined;
      const work = async (tx: Tx): Promise<void> => {
        late = settled(tx.transaction(nested));
        await tx.query('select 1');
        if (outcome === 'throws') throw new Error('no');
      };
      expect(await settled(once(work))).toHaveProperty('error');
      const before = log.at(-1);
      go();
      expect((await late)?.error?.code).toBe('TRANSACTION_OVER');
      expect([before, log.at(-1), log.includes('COMMIT')]).toEqual(['release', 'release', false]);
    }
  });

  it('takes no statement through the handle of a nested one that is over', async () => {
    let kept: Tx | undefined;
    const { error } = await settled(
      once(async (tx) => {
        await tx.transaction(async (inner) => void (kept = inner));
        await kept!.query('insert');
      }),
    );
    expect(error?.code).toBe('TRANSACTION_OVER');
    expect(log).not.toContain('insert');
  });

  it('begins on another connection when the first one breaks at BEGIN', async () => {
    fail('BEGIN', lost());
    await once(async (tx) => await tx.query('select 1'));
    expect(log).toEqual(['BEGIN', 'close', 'BEGIN', 'select 1', 'COMMIT', 'release']);
  });

  it('writes its marker last', async () => {
    await once(async (tx) => await tx.query('insert'), { marker: 'app.marker' });
    expect(log).toEqual(['BEGIN', 'insert', 'mark app.marker', 'COMMIT', 'release']);
  });

  it.each([
    { retries: -1 },
    { marker: 'a; drop table b' },
    { isolationLevel: 'snapshot' },
    { signal: {} },
    { retry: 1 },
  ])('refuses %j', async (options) => {
    const { error } = await settled(once(async () => {}, options as TransactionOptions));
    expect(error?.code).toBe('INVALID_OPTION');
    expect(log).toEqual([]);
  });
});

describe('a second run', () => {
  it.each([
    ['a lost connection', lost],
    ['a serialization failure', () => refused('40001')],
  ])('follows %s when it was asked for', async (_, failure) => {
    const { error } = fail('insert', failure(), failure());
    expect((await settled(once(async (tx) => await tx.query('insert')))).error).toMatchObject({
      message: error.message,
    });
    expect(await settled(once(async (tx) => await tx.query('insert'), { retries: 1 }))).toEqual({ value: undefined });
  });

  it('follows a connection that was lost in what is asked before COMMIT', async () => {
    fail('ask', lost());
    expect(await settled(once(async () => 7, { retries: 1 }))).toEqual({ value: 7 });
    expect(log).toEqual(['BEGIN', 'ask', 'close', 'BEGIN', 'ask', 'COMMIT', 'release']);
  });

  it('follows a serialization failure at COMMIT', async () => {
    fail('COMMIT', refused('40001'));
    await once(async () => {}, { retries: 1 });
    expect(log.filter((what) => what === 'BEGIN')).toHaveLength(2);
  });

  it.each(['commit and chain', 'call p()', 'insert; commit'])(
    'never follows a connection that was lost after %s, which may have committed',
    async (sql) => {
      fail('insert', lost());
      const work = async (tx: Tx): Promise<void> => {
        await tx.query(sql);
        await tx.query('insert');
      };
      const { error } = await settled(once(work, { retries: 3 }));
      expect(outcomeOf(error)).toBe('unknown');
      expect(log.filter((what) => what === 'BEGIN')).toHaveLength(1);
    },
  );

  it('never follows another error, or the driver’s time-out', async () => {
    for (const failure of [refused('23505'), { kind: 'refused', error: new Error('time-out') } as Failure]) {
      fail('insert', failure);
      log.length = 0;
      await settled(once(async (tx) => await tx.query('insert'), { retries: 3 }));
      expect(log.filter((what) => what === 'BEGIN')).toHaveLength(1);
    }
  });

  it('never begins before the first one has settled', async () => {
    let running = 0;
    fail('insert', lost());
    await once(
      async (tx) => {
        expect(++running).toBe(1);
        try {
          await tx.query('insert');
        } finally {
          await new Promise(setImmediate);
          running--;
        }
      },
      { retries: 1 },
    );
  });
});

describe('a COMMIT without an answer', () => {
  it('is unknown', async () => {
    const { error: cause } = fail('COMMIT', lost());
    const { error } = await settled(once(async () => {}, { retries: 3 }));
    expect(error).toBeInstanceOf(CommitUnknownError);
    expect(error).toMatchObject({ code: 'COMMIT_UNKNOWN', cause });
    expect(outcomeOf(error)).toBe('unknown');
    // The broken connection has left its place to the one that asks.
    expect(log).toEqual(['BEGIN', 'COMMIT', 'close', 'resolve']);
  });

  it('is done where that can be known', async () => {
    fail('COMMIT', lost());
    server.resolution = 'committed';
    expect(await once(async () => 7)).toBe(7);
  });

  it('is rejected where that can be known, and then run again if asked for', async () => {
    server.resolution = 'rolled-back';
    const { error: cause } = fail('COMMIT', lost());
    const { error } = await settled(once(async () => {}));
    expect(error).toBe(cause);
    expect(outcomeOf(error)).toBe('rejected');
    fail('COMMIT', lost());
    expect(await once(async () => 7, { retries: 1 })).toBe(7);
  });
});

describe('a signal', () => {
  it('ends a statement that is under way with its connection, and whatever comes then', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { error } = await settled(
      once(
        async (tx) => {
          await tx.query('insert');
          controller.abort(reason);
          await tx.query('update');
        },
        { signal: controller.signal, retries: 3 },
      ),
    );
    expect(error).toBe(reason);
    expect(log).toEqual(['BEGIN', 'insert', 'close']);
  });

  it('ends the wait for a connection', async () => {
    const reason = new Error('enough');
    const { error } = await settled(once(async () => {}, { signal: AbortSignal.abort(reason) }));
    expect([error, log]).toEqual([reason, []]);
  });

  it('means nothing once COMMIT is sent', async () => {
    const controller = new AbortController();
    const done = once(async () => setImmediate(() => controller.abort()), { signal: controller.signal });
    await expect(done).resolves.toBeDefined();
  });
});
