import { describe, expect, it } from 'vitest';
import { drawMedian, measure, type Measured } from '../../../src/cli/bench/measure.js';
import { change, failed, hung, read, write } from '../failover/support.js';

const operations = [
  read(100, 102, 1),
  write('a', 800, 803, 1),
  failed(read(905, 910, null), 'not-sent'),
  failed(write('b', 950, 960), 'unknown'),
  hung(write('c', 960, 0)),
  read(970, 1_050, 2),
  write('d', 1_060, 1_062, 2),
];
const measured = measure(
  { change, startedAt: 0, endedAt: 1_100 },
  { operations, lostWrites: 0, doubledWrites: 0, crashes: [] },
);

describe('the figures of a run', () => {
  it('know when the change could first be noticed, and how long nothing succeeded', () => {
    expect(measured.detectedMillis).toBe(-90);
    expect(measured.unavailableMillis).toBe(1_050 - 803);
  });

  it('tell reads from writes, and errors by their outcome', () => {
    expect(measured.reads).toMatchObject({ operations: 3, errors: 1, hung: 0, firstSuccess: 50, longestWait: 80 });
    expect(measured.writes).toMatchObject({ operations: 4, errors: 1, hung: 1, firstSuccess: 62, longestWait: 2 });
    expect(measured.outcomes).toEqual({ 'not-sent': 1, unknown: 1 });
  });

  it('tell the latency before the change, until the client was back, and afterwards', () => {
    expect(measured.latency.before).toMatchObject({ count: 2, max: 3 });
    expect(measured.latency.during).toMatchObject({ count: 1, p50: 80, max: 80 });
    expect(measured.latency.after).toMatchObject({ count: 1, max: 2 });
  });

  it('draw what became of the operations of each moment, without gaps', () => {
    const { timeline } = measured;
    expect(timeline[0]!.at).toBe(-1_000);
    for (const [i, { at, millis }] of timeline.entries()) expect(at).toBe(-1_000 + i * millis);
    const sum = (key: 'onOld' | 'onNew' | 'errors' | 'hung'): number => timeline.reduce((n, bin) => n + bin[key], 0);
    expect([sum('onOld'), sum('onNew'), sum('errors'), sum('hung')]).toEqual([2, 2, 2, 1]);
    expect(timeline.find(({ hung: count }) => count > 0)!.at).toBe(-50);
  });

  it('of a client that never came back end with the watch', () => {
    const { summary, unavailableMillis, detectedMillis } = measure(
      { change, startedAt: 0, endedAt: 6_000 },
      { operations: [read(100, 110, 1), hung(read(950, 0, null))], lostWrites: 0, doubledWrites: 0, crashes: [] },
    );
    expect(summary.firstSuccess).toBeNull();
    expect([unavailableMillis, detectedMillis]).toEqual([5_890, null]);
  });

  it('are drawn for the run with the median of first successes alone', () => {
    const at = (firstSuccess: number | null): Measured => ({
      ...measured,
      summary: { ...measured.summary, firstSuccess },
    });
    const drawn = drawMedian([at(30), at(null), at(10)]).map(({ timeline }) => timeline.length > 0);
    expect(drawn).toEqual([true, false, false]);
    expect(drawMedian([at(null), at(null)]).map(({ timeline }) => timeline.length > 0)).toEqual([true, false]);
  });
});
