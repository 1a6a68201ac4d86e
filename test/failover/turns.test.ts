import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inTurn, placeInTurn } from '../../src/failover/turns.js';

it('puts whoever comes back where he was, whoever else came back before him', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(20), { minLength: 1 }), (comingBack) => {
      const callers = Array.from({ length: 21 }, (_, turn) => ({ turn }));
      const queue = callers.filter(({ turn }) => !comingBack.includes(turn));
      for (const turn of comingBack) queue.splice(placeInTurn(queue, callers[turn]!), 0, callers[turn]!);
      expect(queue).toEqual(callers);
      expect(inTurn(queue.toReversed())).toEqual(callers);
    }),
  );
});
