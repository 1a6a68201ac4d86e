import { beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import { log } from './fake-session.js';
import { fail, once, refused, reset, settled, transactions } from './transaction-support.js';

beforeEach(reset);

describe('a transaction with a nested one open', () => {
  it.each(['the nested function itself', 'beside it'])(
    'refuses a statement of its own handle from %s',
    async (where) => {
      let refused: { error?: { code?: string } } = {};
      await once(async (tx) => {
        await tx.query('insert');
        let inside = (): void => {};
        const begun = new Promise<void>((resolve) => (inside = resolve));
        let go = (): void => {};
        const going = new Promise<void>((resolve) => (go = resolve));
        const outer = async (): Promise<void> => void (refused = await settled(tx.query('outer')));
        const nested = settled(
          tx.transaction(async (inner) => {
            await inner.query('inner');
            inside();
            if (where === 'beside it') await going;
            else await outer();
            throw new Error('undo it');
          }),
        );
        await begun;
        if (where === 'beside it') await outer();
        go();
        await nested;
        await tx.query('update');
      });
      expect(refused.error?.code).toBe('TRANSACTION_NESTED');
      expect(outcomeOf(refused.error)).toBe('not-sent');
      expect(log.join()).toBe(
        'BEGIN,insert,SAVEPOINT eip_pool_1,inner,ROLLBACK TO SAVEPOINT eip_pool_1,update,COMMIT,release',
      );
    },
  );

  it('refuses another nested one of its own handle from in there, which would wait for itself', async () => {
    const codes: unknown[] = [];
    await once(async (tx) => {
      await tx.transaction(async (inner) => {
        codes.push((await settled(tx.transaction(async () => {}))).error?.code);
        await inner.transaction(async () => {
          for (const handle of [tx, inner]) codes.push((await settled(handle.transaction(async () => {}))).error?.code);
        });
      });
    });
    expect(codes).toEqual(Array(3).fill('TRANSACTION_NESTED'));
    expect(log.filter((sql) => sql.startsWith('RELEASE'))).toHaveLength(2);
  });

  it('runs one that a nested function had left behind when its turn comes', async () => {
    let left: Promise<void> | undefined;
    await once(async (tx) => {
      let begin = (): void => {};
      const begun = new Promise<void>((resolve) => (begin = resolve));
      await tx.transaction(async () => {
        left = begun.then(async () => await tx.transaction(async (inner) => await inner.query('left behind')));
      });
      await tx.transaction(async (inner) => {
        begin();
        await inner.query('insert');
      });
      await left;
    });
    expect(log.filter((sql) => /^(insert|left|RELEASE)/.test(sql))).toEqual([
      'RELEASE SAVEPOINT eip_pool_1',
      'insert',
      'RELEASE SAVEPOINT eip_pool_2',
      'left behind',
      'RELEASE SAVEPOINT eip_pool_3',
    ]);
  });

  it('runs a statement first that was given before the nested one began, and further nested ones after it', async () => {
    await once(async (tx) => {
      const one = tx.transaction(async (inner) => await inner.query('one'));
      await Promise.all([one, tx.query('before'), tx.transaction(async (inner) => await inner.query('two'))]);
    });
    expect(log.filter((sql) => /^(before|one|two|RELEASE.*)$/.test(sql))).toEqual([
      'before',
      'one',
      'RELEASE SAVEPOINT eip_pool_1',
      'two',
      'RELEASE SAVEPOINT eip_pool_2',
    ]);
  });
});

describe('a nested transaction', () => {
  it('is a savepoint, by the handle and by the pool', async () => {
    await once(async (tx) => {
      await tx.transaction(async (inner) => await inner.query('insert 1'));
      await transactions.run(async (inner) => await inner.query('insert 2'), { retries: 2 });
    });
    expect(log).toEqual([
      ...['BEGIN', 'SAVEPOINT eip_pool_1', 'insert 1', 'RELEASE SAVEPOINT eip_pool_1'],
      ...['SAVEPOINT eip_pool_2', 'insert 2', 'RELEASE SAVEPOINT eip_pool_2', 'COMMIT', 'release'],
    ]);
  });

  it('is undone alone, and the rest is committed', async () => {
    fail('insert', refused('23505'));
    const value = await once(async (tx) => {
      const inner = tx.transaction(async (nested) => await nested.query('insert'));
      expect((await settled(inner)).error?.code).toBe('23505');
      return 7;
    });
    expect(value).toBe(7);
    expect(log.slice(-3)).toEqual(['ROLLBACK TO SAVEPOINT eip_pool_1', 'COMMIT', 'release']);
  });

  it('waits for the one before it', async () => {
    await once(async (tx) => {
      await Promise.all(['a', 'b'].map((name) => tx.transaction(async (inner) => await inner.query(name))));
    });
    expect(log.slice(1, 4)).toEqual(['SAVEPOINT eip_pool_1', 'a', 'RELEASE SAVEPOINT eip_pool_1']);
  });

  it('is a transaction of its own once the outer one is over, and outside of it', async () => {
    let later: Promise<unknown> | undefined;
    await once(async () => {
      later = new Promise(setImmediate).then(() => once(async () => {}));
    });
    await later;
    expect(log).toEqual(['BEGIN', 'COMMIT', 'release', 'BEGIN', 'COMMIT', 'release']);
  });

  it('is one of the innermost function that still runs, whatever has ended inside of it', async () => {
    await once(async (tx) => {
      let left: Promise<unknown> | undefined;
      await tx.transaction(async () => {
        left = new Promise(setImmediate).then(() => once(async (inner) => await inner.query('left behind')));
      });
      await left;
    });
    expect(log.filter((what) => what === 'BEGIN' || what.startsWith('SAVEPOINT'))).toEqual([
      ...['BEGIN', 'SAVEPOINT eip_pool_1', 'SAVEPOINT eip_pool_2'],
    ]);
  });

  it('has no isolation level or access mode of its own', async () => {
    const { error } = await settled(once(async () => await once(async () => {}, { isolationLevel: 'serializable' })));
    expect(error?.code).toBe('INVALID_OPTION');
  });
});
