import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, shuffle } from '../../../src/cli/bench/statistics.js';

describe('a quantile', () => {
  it('lies between its neighbours in proportion', () => {
    expect(quantile([30, 10, 20, 40], 0.5)).toBe(25);
    expect(quantile([10, 20], 0.9)).toBeCloseTo(19);
    expect([quantile([3, 1, 2], 0), quantile([3, 1, 2], 1)]).toEqual([1, 3]);
    expect(median([7])).toBe(7);
  });

  it('of nothing is no number', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('among some that never happened is a number or never', () => {
    expect(median([1, 2, Infinity])).toBe(2);
    expect(median([1, Infinity, Infinity])).toBe(Infinity);
    expect(median([1, Infinity])).toBe(Infinity);
  });

  it('never leaves the range of the values, grows with the share, and leaves them alone', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(values, share, share, (list, a, b) => {
        const before = [...list];
        const [low, high] = [quantile(list, Math.min(a, b)), quantile(list, Math.max(a, b))];
        expect(low).toBeLessThanOrEqual(high + 1e-6);
        expect(low).toBeGreaterThanOrEqual(Math.min(...list) - 1e-6);
        expect(high).toBeLessThanOrEqual(Math.max(...list) + 1e-6);
        expect(list).toEqual(before);
      }),
    );
  });
});

describe('a shuffle', () => {
  it('keeps every item', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), (items) => {
        expect(shuffle([...items]).toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
      }),
    );
  });
});
