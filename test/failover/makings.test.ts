import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Makings } from '../../src/failover/makings.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';

interface Caller {
  readonly turn: number;
  expecting: boolean;
}

const CALLERS = 10;

function makings(kindOf: (turn: number) => string): {
  readonly makings: Makings<number, Caller>;
  readonly all: ReturnType<Makings<number, Caller>['add']>[];
} {
  const made = new Makings<number, Caller>();
  const all = Array.from({ length: CALLERS }, (_, turn) => {
    const socket = { state: { kind: kindOf(turn) } } as unknown as TrackedSocket;
    return made.add(turn, { turn, expecting: true }, socket);
  });
  return { makings: made, all };
}

it('serves in the order in which they came all who still wait, whichever attempt succeeds first', () => {
  const order = fc.shuffledSubarray(
    Array.from({ length: CALLERS }, (_, n) => n),
    { minLength: CALLERS },
  );
  fc.assert(
    fc.property(order, fc.uniqueArray(fc.nat(CALLERS - 1)), (succeeding, gone) => {
      const { makings: made, all } = makings(() => 'handshake');
      for (const turn of gone) all[turn]!.caller.expecting = false;
      const served: number[] = [];
      for (const index of succeeding) {
        const making = all[index]!;
        made.arrive(making);
        if (making.caller.expecting) served.push(making.caller.turn);
        making.caller.expecting = false;
      }
      expect(served).toEqual(all.map((_, turn) => turn).filter((turn) => !gone.includes(turn)));
      expect(made.size).toBe(0);
    }),
  );
});

it('relieves the first who waits by what cannot begin yet, and leaves to its own end what has ended', () => {
  const { makings: made, all } = makings((turn) => ['closed', 'handshake', 'waiting'][Math.min(turn, 2)]!);
  const relieved = made.relieve()!;
  expect([relieved.connection, relieved.caller.turn, relieved.relieved]).toEqual([2, 1, true]);
  expect([all[0]!.caller.turn, all[1]!.caller.turn, made.size]).toEqual([0, 2, CALLERS - 1]);
});
