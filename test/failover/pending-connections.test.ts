import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type PendingConnection, PendingConnections } from '../../src/failover/pending-connections.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';

interface Caller {
  turn: number;
  answers: number;
  gone: boolean;
}

type Pending = PendingConnection<number, Caller>;

const CALLERS = 10;

function begin(kindOf: (turn: number) => string): {
  readonly all: Pending[];
  readonly pool: PendingConnections<number, Caller>;
} {
  const pool = new PendingConnections<number, Caller>(({ gone, answers }) => !gone && answers === 0);
  const all = Array.from({ length: CALLERS }, (_, turn) => {
    const pending = pool.add({ turn, answers: 0, gone: false });
    pending.begin(turn, { state: { kind: kindOf(turn) } } as unknown as TrackedSocket);
    return pending;
  });
  return { all, pool };
}

const anyOrder = fc.shuffledSubarray(
  Array.from({ length: CALLERS }, (_, n) => n),
  { minLength: CALLERS },
);

it('serves all who still wait in the order in which they came, whichever attempt succeeds first', () => {
  fc.assert(
    fc.property(anyOrder, fc.uniqueArray(fc.nat(CALLERS - 1)), (succeeding, gone) => {
      const { all, pool } = begin(() => 'handshake');
      for (const turn of gone) all[turn]!.caller!.gone = true;
      const served: number[] = [];
      for (const index of succeeding) {
        all[index]!.arrive();
        const caller = all[index]!.settle()!;
        if (!caller.gone) served.push(caller.turn);
        caller.answers++;
      }
      expect(served).toEqual(all.map((_, turn) => turn).filter((turn) => !gone.includes(turn)));
      expect(pool.size).toBe(0);
    }),
  );
});

it('gives no caller to an attempt that has failed, and answers each caller exactly once', () => {
  const ends = fc.array(fc.constantFrom('arrives', 'fails', 'fails after it arrived'), {
    minLength: CALLERS,
    maxLength: CALLERS,
  });
  fc.assert(
    fc.property(anyOrder, ends, (order, how) => {
      const { all } = begin(() => 'handshake');
      const callers = all.map(({ caller }) => caller!);
      for (const index of order) {
        if (how[index] !== 'fails') all[index]!.arrive();
        all[index]!.settle()!.answers++;
        expect([all[index]!.settle(), all[index]!.arrive(), all[index]!.relieve()]).toEqual([null, null, null]);
      }
      expect(callers.map(({ answers }) => answers)).toEqual(callers.map(() => 1));
    }),
  );
});

it('has the first who waits change places with whoever is first in the queue and came later', () => {
  const { all, pool } = begin((turn) => ['handshake', 'handshake', 'waiting'][Math.min(turn, 2)]!);
  const queued = { ...all[0]!.caller!, turn: CALLERS };
  const early = { ...all[0]!.caller!, turn: -1 };
  const queueOf = (first: Caller): { first: Caller; remove(): void; queueAgain(caller: Caller): void } => {
    const queue = { first, remove: () => {}, queueAgain: (caller: Caller) => (queue.first = caller) };
    return queue;
  };
  expect(pool.exchange(queueOf(early))).toBe(null);
  const queue = queueOf(queued);
  expect(pool.exchange(queue)).toBe(queued);
  expect(queue.first.turn).toBe(0);
  expect(Math.max(...all.map(({ caller }) => caller!.turn))).toBe(CALLERS);
});

it('relieves the first who waits by what cannot begin yet, and leaves to its own end what has ended', () => {
  const { all, pool } = begin((turn) => ['closed', 'handshake', 'waiting'][Math.min(turn, 2)]!);
  const stuck = pool.stuck()!;
  expect([stuck.connection, stuck.relieve()!.turn, stuck.isSettled]).toEqual([2, 1, true]);
  expect([all[0]!.caller!.turn, all[1]!.caller!.turn, pool.size]).toEqual([0, 2, CALLERS - 1]);
});
