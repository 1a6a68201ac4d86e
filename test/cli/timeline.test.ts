import { describe, expect, it } from 'vitest';
import { timeline } from '../../src/cli/demo/timeline.js';
import type { Change } from '../../src/cli/failover/operation.js';

const change: Change = { at: 1_000, begunAt: 1_000, oldServer: 1, newServer: 2 };
const tick = (
  at: number,
  onServer: Readonly<Record<number, number>> = {},
  more: { errors?: number; waiting?: number } = {},
) => ({
  at,
  onServer,
  errors: 0,
  waiting: 0,
  overdue: 0,
  ...more,
});

describe('the timeline of a client', () => {
  it('shows what each tenth of a second held', () => {
    const ticks = [
      tick(900, { 1: 5 }),
      tick(950),
      tick(1_100, { 1: 2, 2: 1 }),
      tick(1_200, {}, { errors: 1 }),
      tick(1_300, {}, { waiting: 3 }),
      tick(1_400, { 2: 5 }, { waiting: 1 }),
      tick(1_500, { 2: 5 }, { errors: 1 }),
      tick(1_600),
    ];
    expect(timeline(ticks, change, false)).toBe('- >!x.#x ');
  });

  it('knows no servers apart before the name has moved', () => {
    expect(timeline([tick(900, { 1: 1 }), tick(1_100, { 2: 1 }), tick(1_200, {}, { waiting: 1 })], null, false)).toBe(
      '--.',
    );
  });

  it('marks the fault and the move between the tenths in which they happened', () => {
    const ticks = [
      tick(800, { 1: 1 }),
      tick(900, {}, { waiting: 1 }),
      tick(1_000, {}, { waiting: 1 }),
      tick(1_100, { 2: 1 }),
    ];
    expect(timeline(ticks, { ...change, begunAt: 850 }, false)).toBe('-|.>.#');
  });

  it('marks the move alone where both happened in the same tenth', () => {
    const ticks = [tick(900, { 1: 1 }), tick(1_000, { 2: 1 })];
    expect(timeline(ticks, { ...change, begunAt: 950 }, false)).toBe('->#');
  });

  it('is the same text with colours around the marks', () => {
    const ticks = [tick(900, { 1: 1 }), tick(1_100, { 2: 1 })];
    const coloured = timeline(ticks, change, true);
    expect(coloured).toBe('\u001b[2m-\u001b[0m>\u001b[32m#\u001b[0m');
  });

  it('of nothing is empty', () => {
    expect(timeline([], change, true)).toBe('');
  });
});
