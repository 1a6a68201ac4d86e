import { describe, expect, it } from 'vitest';
import { type Failover, FAULTS, NAMINGS, schedule } from './schedule.js';

function first(count: number, seed: number): Failover[] {
  const failovers = schedule(seed);
  return Array.from({ length: count }, () => failovers.next().value);
}

describe('the schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(first(50, 7)).toEqual(first(50, 7));
    expect(first(50, 7)).not.toEqual(first(50, 8));
  });

  it('has every fault before any comes again, and in the long run every way of naming', () => {
    for (let seed = 0; seed < 20; seed++) {
      const faults = first(FAULTS.length, seed).map(({ fault }) => fault);
      expect(faults.toSorted()).toEqual(FAULTS.toSorted());
    }
    expect(new Set(first(200, 1).map(({ naming }) => naming))).toEqual(new Set(NAMINGS));
  });
});
