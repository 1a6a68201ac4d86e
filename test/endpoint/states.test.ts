import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type EndpointState,
  nextQuestionIn,
  type StateEvent,
  type StateKind,
  transition,
} from '../../src/endpoint/states.js';

const NOW = 50_000;
const PACE = { intervalMillis: 1_000, suspectIntervalMillis: 100 };
const cause = new Error('before');

const states: Readonly<Record<StateKind, EndpointState>> = {
  resolving: { kind: 'resolving', since: 0 },
  steady: { kind: 'steady' },
  suspect: { kind: 'suspect', since: 10, failedAt: 5, cause },
  down: { kind: 'down', since: 10, failedAt: 5, cause },
  closed: { kind: 'closed' },
};
const events = {
  answered: { kind: 'answered' },
  moved: { kind: 'moved' },
  'failed somewhere': { kind: 'failed', cause: 'new', everywhere: false },
  'failed everywhere': { kind: 'failed', cause: 'new', everywhere: true },
  worked: { kind: 'worked', elsewhere: 'well' },
  'worked on one port': { kind: 'worked', elsewhere: 'trouble' },
  closed: { kind: 'closed' },
} satisfies Record<string, StateEvent>;

const TABLE: readonly (readonly [StateKind, keyof typeof events, StateKind])[] = [
  ['resolving', 'answered', 'steady'],
  ['resolving', 'moved', 'resolving'],
  ['resolving', 'failed somewhere', 'resolving'],
  ['resolving', 'failed everywhere', 'resolving'],
  ['resolving', 'worked', 'resolving'],
  ['resolving', 'worked on one port', 'resolving'],
  ['steady', 'answered', 'steady'],
  ['steady', 'moved', 'steady'],
  ['steady', 'failed somewhere', 'suspect'],
  ['steady', 'failed everywhere', 'down'],
  ['steady', 'worked', 'steady'],
  ['steady', 'worked on one port', 'steady'],
  ['suspect', 'answered', 'suspect'],
  ['suspect', 'moved', 'suspect'],
  ['suspect', 'failed somewhere', 'suspect'],
  ['suspect', 'failed everywhere', 'down'],
  ['suspect', 'worked', 'steady'],
  ['suspect', 'worked on one port', 'suspect'],
  ['down', 'answered', 'down'],
  ['down', 'moved', 'suspect'],
  ['down', 'failed somewhere', 'down'],
  ['down', 'failed everywhere', 'down'],
  ['down', 'worked', 'steady'],
  ['down', 'worked on one port', 'suspect'],
];

describe('a state', () => {
  it.each(TABLE)('that is %s and hears "%s" is %s', (from, event, to) => {
    expect(transition(states[from], events[event], NOW).kind).toBe(to);
  });

  it.each(Object.keys(states) as StateKind[])('that is %s can be closed', (from) => {
    expect(transition(states[from], events.closed, NOW)).toEqual({ kind: 'closed' });
  });

  it('that is closed stays closed whatever happens', () => {
    for (const event of Object.values(events))
      expect(transition(states.closed, event, NOW)).toEqual({ kind: 'closed' });
  });

  it('keeps the time of the first failure, and the cause of the last', () => {
    const first = transition(states.steady, { kind: 'failed', cause: 'first', everywhere: false }, 100);
    const second = transition(first, { kind: 'failed', cause: 'second', everywhere: true }, 200);
    expect(second).toEqual({ kind: 'down', since: 100, failedAt: 100, cause: 'second' });
    expect(transition(second, events.moved, 300)).toEqual({
      kind: 'suspect',
      since: 300,
      failedAt: 100,
      cause: 'second',
    });
  });
});

describe('the time to the next question', () => {
  const calm = (state: EndpointState, now: number): number => nextQuestionIn(state, now, PACE, 0.5);

  it.each([
    [0, 100],
    [29_999, 100],
    [30_000, 200],
    [35_000, 400],
    [40_000, 800],
    [45_000, 1_000],
    [10_000_000, 1_000],
  ])('%d ms after a failure is %d ms', (age, millis) => {
    expect(calm({ kind: 'down', since: 7, failedAt: 7, cause }, 7 + age)).toBeCloseTo(millis);
    expect(calm({ kind: 'suspect', since: 7, failedAt: 7, cause }, 7 + age)).toBeCloseTo(millis);
    expect(calm({ kind: 'resolving', since: 7 }, 7 + age)).toBeCloseTo(millis);
  });

  it('never leaves the interval give or take a tenth, and never grows shorter with time', () => {
    const pace = fc.record({
      intervalMillis: fc.integer({ min: 100, max: 100_000 }),
      suspectIntervalMillis: fc.integer({ min: 100, max: 100_000 }),
    });
    const age = fc.integer({ min: 0, max: 1e9 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(pace, age, age, random, (rules, a, b, chance) => {
        const steady = nextQuestionIn(states.steady, a, rules, chance);
        expect(Math.abs(steady / rules.intervalMillis - 1)).toBeLessThanOrEqual(0.1 + 1e-9);
        const suspect = (since: number): number =>
          nextQuestionIn({ kind: 'suspect', since: 0, failedAt: 0, cause }, since, rules, chance);
        expect(suspect(a)).toBeLessThanOrEqual(steady);
        expect(suspect(Math.min(a, b))).toBeLessThanOrEqual(suspect(Math.max(a, b)));
      }),
    );
  });
});
