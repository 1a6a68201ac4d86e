import { describe, expect, it } from 'vitest';
import { compare, interval, type Side } from '../../bench/overhead/compare.js';

describe('the comparison of two sides', () => {
  const side = (log: string[], name: string): Side => ({
    async open(connections) {
      log.push(`${name} opens ${connections}`);
      return {
        run: async () => await new Promise((resolve) => setImmediate(resolve)),
        close: async () => log.push(`${name} closes`),
      };
    },
  });

  it('gives each round pools of its own, and runs the second side twice in each', async () => {
    const log: string[] = [];
    const rounds = { rounds: 4, slices: 3, sliceMillis: 2, poolSize: 10 };
    const work = { what: 'nothing', waits: true, sides: [side(log, 'ours'), side(log, 'stock')] as const };
    const { rates, ratios, noise, cpuRatios } = await compare(work, 3, rounds);
    expect([...rates, ratios, noise, cpuRatios].map(({ length }) => length)).toEqual([4, 4, 4, 4, 4]);
    // The first round is not counted.
    expect(log).toHaveLength(5 * 6);
    for (let i = 0; i < log.length; i += 6) {
      expect(log.slice(i, i + 3).toSorted()).toEqual(['ours opens 3', 'stock opens 3', 'stock opens 3']);
      expect(log.slice(i + 3, i + 6).toSorted()).toEqual(['ours closes', 'stock closes', 'stock closes']);
    }
  });
});

describe('the interval of a median', () => {
  it('spans what the processes measured, if each of them measured something else', () => {
    expect(interval([[1], [2], [3]])).toEqual([1, 3]);
    expect(interval([[5, 5], [5]])).toEqual([5, 5]);
  });

  it('is narrower than the rounds of one process, and holds their median', () => {
    const [low, high] = interval([Array.from({ length: 31 }, (_, i) => 31 - i)]);
    expect(low).toBeGreaterThan(5);
    expect(low).toBeLessThan(16);
    expect(high).toBeGreaterThan(16);
    expect(high).toBeLessThan(27);
  });
});
