import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Waiter, WaiterQueue } from '../../src/failover/waiter-queue.js';

interface Caller extends Waiter {
  readonly id: number;
}

function queueOf(length: number): { readonly queue: WaiterQueue<Caller>; readonly callers: readonly Caller[] } {
  const queue = new WaiterQueue<Caller>();
  const callers = Array.from({ length }, (_, id): Caller => ({ id }));
  for (const caller of callers) queue.push(caller);
  return { queue, callers };
}

const ids = (queue: Iterable<Caller>): number[] => [...queue].map(({ id }) => id);

it('puts whoever comes back where they were, whoever else came back before them', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(20), { minLength: 1 }), (comingBack) => {
      const { queue, callers } = queueOf(21);
      for (const id of comingBack) expect(queue.remove(callers[id]!)).toBe(true);
      for (const id of comingBack) queue.queueAgain(callers[id]!);
      expect(ids(queue)).toEqual(callers.map(({ id }) => id));
    }),
  );
});

it('holds each caller once, in order, whatever is done with it', () => {
  const step = fc.tuple(fc.constantFrom('push', 'again', 'remove', 'shift'), fc.nat(9));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { queue, callers } = queueOf(10);
      let model = [...callers];
      let latest = model.at(-1);
      const extra: Caller[] = [];
      for (const [what, id] of steps) {
        const caller = callers[id]!;
        switch (what) {
          case 'push': {
            const came = { id: 100 + extra.length };
            extra.push(came);
            queue.push(came);
            model.push(came);
            latest = came;
            break;
          }
          case 'again':
            queue.queueAgain(caller);
            if (!model.includes(caller)) model = [...model, caller].toSorted((a, b) => a.turn! - b.turn!);
            break;
          case 'remove':
            expect(queue.remove(caller)).toBe(model.includes(caller));
            model = model.filter((other) => other !== caller);
            break;
          case 'shift':
            expect(queue.shift()).toBe(model.shift());
        }
        expect(ids(queue)).toEqual(ids(model));
        expect(queue.length).toBe(model.length);
        if (latest !== undefined && !model.includes(latest)) latest = undefined;
        expect(queue.latest).toBe(latest);
      }
      expect(ids(queue.clear())).toEqual(ids(model));
      expect(queue.length).toBe(0);
    }),
  );
});

it('has whoever was served before, and lost what they got, go before all who wait, in their own order', () => {
  const { queue, callers } = queueOf(3);
  for (const id of [10, 11]) queue.ahead(() => queue.push({ id }));
  expect(queue.latest).toMatchObject({ id: 11 });
  expect(ids(queue)).toEqual([10, 11, 0, 1, 2]);
  expect(() =>
    queue.ahead(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  queue.push({ id: 12 });
  queue.remove(callers[0]!);
  queue.queueAgain(callers[0]!);
  expect(ids(queue)).toEqual([10, 11, 0, 1, 2, 12]);
});

it('meets whoever comes while it is gone through, also where the last one has left', () => {
  const { queue, callers } = queueOf(1);
  const met: number[] = [];
  for (const { id } of queue) {
    met.push(id);
    if (id > 2) continue;
    queue.shift();
    queue.push({ id: id + 1 });
  }
  expect(met).toEqual([0, 1, 2, 3]);
  expect(queue.has(callers[0]!)).toBe(false);
});
