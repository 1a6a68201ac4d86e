import { describe, expect, it } from 'vitest';
import type { Progress } from '../../../src/cli/failover/client-process.js';
import { hasRecovered } from '../../../src/cli/failover/recovery.js';
import { change } from './support.js';

const tick = (at: number, more: Partial<Progress> = {}): Progress => ({
  at,
  onServer: { 2: 5 },
  errors: 0,
  waiting: 0,
  overdue: 0,
  ...more,
});
const good = [1_100, 1_200, 1_300, 1_400, 1_500].map((at) => tick(at));

describe('a client has recovered', () => {
  it('once it has been well on the new server for so long', () => {
    expect(hasRecovered(good, change, 400)).toBe(true);
    expect(hasRecovered(good.slice(0, 3), change, 400)).toBe(false);
    expect(hasRecovered([], change, 400)).toBe(false);
  });

  it.each([
    ['an error', { errors: 1 }],
    ['something overdue', { overdue: 1 }],
    ['something on the old server', { onServer: { 1: 1, 2: 4 } }],
  ])('not after %s', (_, more) => {
    expect(hasRecovered([...good, tick(1_600, more)], change, 400)).toBe(false);
  });

  it('not while more of the fault is to come', () => {
    expect(hasRecovered(good, change, 400, 1_200)).toBe(false);
  });

  it('never where nobody knows which server answers', () => {
    expect(
      hasRecovered(
        good.map(({ at }) => tick(at, { onServer: {} })),
        change,
        400,
      ),
    ).toBe(false);
  });
});
