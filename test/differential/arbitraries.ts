import fc from 'fast-check';
import type { CommonCall, Pause } from './course.js';
import type { Turn } from './wire.js';

export const oneOf = <const T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** Mostly not given. */
export const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });

/** Options, without those that are not given. */
export function someOf<T extends object>(arbitraries: {
  [K in keyof T]-?: fc.Arbitrary<T[K] | undefined>;
}): fc.Arbitrary<T> {
  return fc
    .record(arbitraries as Record<string, fc.Arbitrary<unknown>>)
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as T);
}

/** In all less than ten seconds: a connection that was idle for so long is asked before it is handed out. */
export const pauses: fc.Arbitrary<Pause> = fc.oneof(
  fc.constantFrom<Pause>(
    { do: 'tick' },
    { do: 'turn' },
    { do: 'step' },
    { do: 'step' },
    { do: 'quiet' },
    { do: 'quiet' },
  ),
  fc.record({ do: fc.constant('time' as const), millis: oneOf(1, 60, 120, 600, 1_100) }),
);

/** Calls that both drop-ins for a driver have, and what happens between calls; last in a program's list. */
export const commonCalls: readonly fc.WeightedArbitrary<CommonCall | Pause>[] = [
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('transaction' as const), ends: oneOf('commit', 'throw', 'fail') }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'pause and resume' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      how: oneOf('promise', 'callback'),
    }),
  },
  { weight: 10, arbitrary: pauses },
];

export const turn: fc.Arbitrary<Turn> = fc.record({
  first: oneOf('logins', 'statements'),
  among: oneOf('oldest', 'newest'),
});
