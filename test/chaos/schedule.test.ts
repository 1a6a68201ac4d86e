import { describe, expect, it } from 'vitest';
import { type Failover, FAULTS, NAMINGS, schedule } from './schedule.js';
import { INCIDENTS } from './incident.js';
import { LOCALS } from './local.js';

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

  it('has every fault of the application in the long run, crowds of callers, and failovers with neither', () => {
    const failovers = first(200, 1);
    const troubles = failovers.flatMap(({ trouble }) => trouble?.local ?? []);
    expect(new Set(troubles)).toEqual(new Set(LOCALS));
    expect(failovers.some(({ crowd }) => crowd > 0)).toBe(true);
    expect(failovers.some(({ crowd, trouble }) => crowd === 0 && trouble === null)).toBe(true);
  });

  it('has every incident in the long run, and none in most failovers', () => {
    const incidents = first(200, 1).map(({ incident }) => incident);
    expect(new Set(incidents)).toEqual(new Set([...INCIDENTS, null]));
    expect(incidents.filter((incident) => incident === null).length).toBeGreaterThan(100);
  });

  it('draws no fault of the application, and no incident, where there are none', () => {
    const failovers = schedule(1, FAULTS, [], []);
    for (let i = 0; i < 50; i++) expect(failovers.next().value).toMatchObject({ trouble: null, incident: null });
  });
});
