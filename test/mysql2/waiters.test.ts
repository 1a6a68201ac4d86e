import type * as mysql from 'mysql2';
import { expect, it } from 'vitest';
import { callbackOf } from '../../src/mysql2/internals.js';
import { Waiter, Waiters } from '../../src/mysql2/waiters.js';

/** Who gets what mysql2 has for the first in its queue, again and again. */
function servedBy(waiters: Waiters, served: readonly string[]): readonly string[] {
  for (let token = waiters.shift(); token !== undefined; token = waiters.shift()) token(null, {} as never);
  return served;
}

const make = (): { waiters: Waiters; served: string[]; join: (name: string) => void } => {
  const served: string[] = [];
  const waiters = new Waiters(
    { _connectionQueue: [] } as unknown as mysql.Pool,
    (waiter, error, connection) => waiter.answer(error, connection),
    (statement) => callbackOf(statement),
  );
  const join = (name: string): void => {
    const waiter = waiters.make(() => served.push(name));
    waiter.token = () => served.push(name);
    waiters.enter(waiter, () => waiters.push(waiter.token!));
  };
  return { waiters, served, join };
};

it('one who was served before comes first, and takes nobody’s place', () => {
  const { waiters, served, join } = make();
  for (const name of ['one', 'two', 'three']) join(name);
  waiters.ahead(() => join('again'));
  // Whoever looks for all of them finds each of them once.
  expect([...waiters.all()]).toHaveLength(4);
  expect(servedBy(waiters, served)).toEqual(['again', 'one', 'two', 'three']);
});

it('whoever has just come stays behind those who came before, also when one of them is put back', () => {
  const { waiters, served, join } = make();
  join('first');
  waiters.push(() => served.push('second'));
  waiters.push(() => served.push('third'));
  join('fourth');
  const [first] = waiters.all();
  expect(waiters.remove(first!)).toBe(true);
  waiters.push(() => served.push('last'));
  expect(waiters.count).toBe(4);
  waiters.queueAgain(first!);
  first!.token = () => served.push('first');
  expect(servedBy(waiters, served)).toEqual(['first', 'second', 'third', 'fourth', 'last']);
});

it('one whom a listener of mysql2’s events lets in is not taken for the other one', () => {
  const { waiters, served } = make();
  const outer = new Waiter(() => served.push('outer'));
  outer.token = () => served.push('outer');
  waiters.enter(outer, () => {
    waiters.enter(null, () => waiters.push(() => served.push('inner')));
    waiters.push(outer.token!);
  });
  expect(servedBy(waiters, served)).toEqual(['inner', 'outer']);
});
