import { beforeEach, describe, expect, it } from 'vitest';
import { EipPoolError, outcomeOf } from '../../src/index.js';
import { noteOutcome } from '../../src/outcome/outcome.js';
import { held, log } from './fake-session.js';
import { fail, once, refused, reset, settled, type Tx } from './transaction-support.js';

beforeEach(reset);

const runs = (): number => log.filter((what) => what === 'BEGIN').length;

describe('a transaction that a statement ended, though another one is open', () => {
  const leaving = async (tx: Tx): Promise<void> => {
    await tx.query('insert');
    await tx.query('rollback and chain');
    await tx.query('update');
  };

  it('is poisoned, its second part undone, and never run again', async () => {
    const { error } = await settled(once(leaving, { retries: 3 }));
    expect([error?.code, outcomeOf(error)]).toEqual(['TRANSACTION_LEFT', 'unknown']);
    expect(log).toEqual(['BEGIN', 'insert', 'rollback and chain', 'ROLLBACK', 'release']);
  });

  it('says so whatever its function throws instead', async () => {
    const own = new Error('the order is not valid');
    const work = async (tx: Tx): Promise<void> => {
      await leaving(tx).catch(() => {});
      throw own;
    };
    const { error } = await settled(once(work));
    expect(error).toMatchObject({ code: 'TRANSACTION_LEFT', cause: own });
  });

  it('is poisoned by a nested one too', async () => {
    const { error } = await settled(once(async (tx) => await tx.transaction(leaving).catch(() => {})));
    expect(error?.code).toBe('TRANSACTION_LEFT');
    expect(log.filter((what) => what.startsWith('ROLLBACK'))).toEqual(['ROLLBACK']);
  });

  it('is poisoned where the savepoint of a nested one is gone, which cannot be undone then', async () => {
    fail('ROLLBACK TO SAVEPOINT eip_pool_1', refused('3B001'));
    const nested = async (): Promise<never> => await Promise.reject(new Error('no'));
    const { error } = await settled(once(async (tx) => await tx.transaction(nested).catch(() => {})));
    expect(error).toMatchObject({ code: 'TRANSACTION_LEFT', cause: { code: '3B001' } });
    expect(log).not.toContain('COMMIT');
  });
});

describe('statements of a transaction', () => {
  it('are sent one after the other: none after a deadlock that undid those before it', async () => {
    fail('first', refused('40001', 'gone'));
    const { error } = await settled(
      once(async (tx) => void (await Promise.all(['first', 'second'].map((sql) => tx.query(sql))))),
    );
    expect(error?.code).toBe('40001');
    expect(log).toEqual(['BEGIN', 'first', 'release']);
  });

  it('are all a part of it that were given before its function ended', async () => {
    await once(async (tx) => {
      for (const sql of ['one', 'two', 'three']) void tx.query(sql);
    });
    expect(log).toEqual(['BEGIN', 'one', 'two', 'three', 'COMMIT', 'release']);
  });

  it('that the driver refuses by itself leave it as it was', async () => {
    fail('select', { kind: 'local', error: new TypeError('not a statement') });
    await once(async (tx) => {
      await settled(tx.query('select'));
      await tx.query('insert');
    });
    expect(log).toEqual(['BEGIN', 'select', 'insert', 'COMMIT', 'release']);
  });

  it.each(['08001', '08006', '08S01'])(
    'that fail with %s on a connection that lives leave it as it was',
    async (code) => {
      fail('from another server', refused(code));
      const far = async (tx: Tx): Promise<void> => await tx.query('from another server');
      await once(async (tx) => {
        expect((await settled(tx.transaction(far))).error?.code).toBe(code);
        await tx.query('insert');
      });
      fail('from another server', refused(code));
      await settled(once(far, { retries: 3 }));
      expect(runs()).toBe(2);
    },
  );
});

describe('a second run', () => {
  it.each([
    ['a nested one', async (tx: Tx) => await tx.transaction(async (inner) => await inner.query('insert'))],
    ['a savepoint of its own', async (tx: Tx) => await tx.query('insert').catch(() => tx.query('rollback to mine'))],
  ])('does not follow a conflict that %s undid, and an error of its own', async (_, work) => {
    const own = new Error('the order is not valid');
    fail('insert', refused('40001'));
    const { error } = await settled(
      once(
        async (tx) => {
          await settled(work(tx));
          await tx.query('select 1');
          throw own;
        },
        { retries: 3 },
      ),
    );
    expect([error, runs()]).toEqual([own, 1]);
  });

  it('follows a conflict that its function has put into an error of its own', async () => {
    fail('insert', refused('40001'));
    const work = async (tx: Tx): Promise<void> => {
      await tx.query('insert').catch((cause: Error) => Promise.reject(new Error('not saved', { cause })));
    };
    await once(work, { retries: 1 });
    expect(runs()).toBe(2);
  });

  it('does not follow another pool’s conflict, or a loss that no statement met', async () => {
    const foreign = refused('40001').error;
    await settled(once(async () => await Promise.reject(foreign), { retries: 3 }));
    expect(runs()).toBe(1);
  });
});

describe('what a function throws that is not of its transaction', () => {
  const cut = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });

  it.each([
    ['a statement of another pool', refused('57P01').error],
    ['its lost connection', cut],
    ['pg’s lost connection', new Error('Connection terminated unexpectedly')],
    ['a transaction of another pool', new EipPoolError('COMMIT_UNKNOWN', 'unknown')],
    ['the same, as a cause', new Error('not saved', { cause: cut })],
    ['the same, among several', new AggregateError([new Error('one'), cut])],
  ])('says of %s what it said before', async (_, error) => {
    const before = outcomeOf(error);
    expect((await settled(once(async () => await Promise.reject(error)))).error).toBe(error);
    expect(outcomeOf(error)).toBe(before);
  });

  it('says what was noted of it', async () => {
    const noted = new Error('noted');
    noteOutcome(noted, 'not-sent');
    await settled(once(async () => await Promise.reject(noted)));
    expect(outcomeOf(noted)).toBe('not-sent');
  });

  it('is the application’s own without a sign of that, and tells of each transaction in turn', async () => {
    const own = new Error('no');
    await settled(once(async () => await Promise.reject(own)));
    expect(outcomeOf(own)).toBe('rejected');
    const work = async (tx: Tx): Promise<void> => {
      await tx.query('call p()');
      throw own;
    };
    await settled(once(work));
    expect(outcomeOf(own)).toBe('unknown');
  });
});

describe('a signal', () => {
  it.each(['BEGIN', 'insert', 'SAVEPOINT eip_pool_1', 'ROLLBACK TO SAVEPOINT eip_pool_1', 'mark m', 'ROLLBACK'])(
    'ends the wait for the answer to %s at once, and the connection with it',
    async (what) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      held.set(what, null);
      const work = once(
        async (tx) => {
          await tx.query('insert');
          await tx.transaction(async () => await Promise.reject(new Error('no'))).catch(() => {});
          if (what === 'ROLLBACK') throw new Error('no');
        },
        { signal: controller.signal, marker: 'm' },
      );
      await expect.poll(() => log.at(-1)).toBe(what);
      controller.abort(reason);
      const { error } = await settled(work);
      if (what !== 'ROLLBACK') expect(error).toBe(reason);
      expect(log.at(-1)).toBe('close');
    },
  );

  it('ends the wait for a function that waits for something else', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let go = (): void => {};
    const going = new Promise<void>((resolve) => (go = resolve));
    let late: { error?: Error } = {};
    let settle = (): void => {};
    const done = new Promise<void>((resolve) => (settle = resolve));
    const work = once(
      async (tx) => {
        await going;
        late = await settled(tx.query('insert'));
        settle();
      },
      { signal: controller.signal },
    );
    await expect.poll(() => log).toEqual(['BEGIN']);
    controller.abort(reason);
    expect((await settled(work)).error).toBe(reason);
    expect(log).toEqual(['BEGIN', 'close']);
    go();
    await done;
    expect([late.error, log]).toEqual([reason, ['BEGIN', 'close']]);
  });

  it('leaves its reason as it was, which many calls share', async () => {
    const reason = new Error('enough');
    const before = outcomeOf(reason);
    const controller = new AbortController();
    held.set('insert', null);
    const work = once(async (tx) => await tx.query('insert'), { signal: controller.signal });
    await expect.poll(() => log.at(-1)).toBe('insert');
    controller.abort(reason);
    await settled(work);
    expect(outcomeOf(reason)).toBe(before);
  });
});

it('a rollback that left something undone makes the outcome unknown, and is not followed by a second run', async () => {
  fail('update', refused('40001'));
  const work = async (tx: Tx): Promise<void> => {
    await tx.query('insert into a table without transactions');
    await tx.query('update');
  };
  const { error } = await settled(once(work, { retries: 3 }));
  expect([error?.code, runs()]).toEqual(['40001', 1]);
});
