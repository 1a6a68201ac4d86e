import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Turns } from '../../src/failover/turns.js';

it('puts whoever comes back where he was, whoever else came back before him', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(20), { minLength: 1 }), (comingBack) => {
      const turns = new Turns<object>();
      const callers = Array.from({ length: 21 }, (_, n) => ({ n }));
      for (const caller of callers) turns.note(caller);
      const queue = callers.filter(({ n }) => !comingBack.includes(n));
      for (const n of comingBack) queue.splice(turns.placeIn(queue, callers[n]!), 0, callers[n]!);
      expect(queue).toEqual(callers);
      expect(turns.inOrder(queue.toReversed())).toEqual(callers);
    }),
  );
});

it('counts the first turn of a caller only, and those without one last', () => {
  const turns = new Turns<object>();
  const [first, second, stranger] = [{}, {}, {}];
  turns.note(first);
  turns.note(second);
  turns.note(first);
  expect([turns.placeIn([second, stranger], first), turns.placeIn([first, stranger], second)]).toEqual([0, 1]);
  expect(turns.placeIn([first, undefined, second], stranger)).toBe(3);
});
