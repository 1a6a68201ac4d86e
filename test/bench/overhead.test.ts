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

  it('gives each slice a pool of its own, and runs the second side twice in each round', async () => {
    const log: string[] = [];
    const rounds = { rounds: 4, sliceMillis: 2, poolSize: 10 };
    const work = { what: 'nothing', waits: true, sides: [side(log, 'ours'), side(log, 'stock')] as const };
    const { ratios, noise, cpuRatios } = await compare(work, 3, rounds);
    expect([ratios, noise, cpuRatios].map(({ length }) => length)).toEqual([4, 4, 4]);
    const count = (line: string): number => log.filter((each) => each === line).length;
    // One slice of each before the rounds is not counted.
    expect([count('ours opens 3'), count('stock opens 3')]).toEqual([5, 10]);
    expect([count('ours closes'), count('stock closes')]).toEqual([5, 10]);
    for (let i = 0; i < log.length; i += 2) expect(log[i + 1]).toBe(log[i]!.replace('opens 3', 'closes'));
  });
});

describe('the interval of a median', () => {
  it('is given by order statistics: of 31 values the 11th to the 22nd', () => {
    const values = Array.from({ length: 31 }, (_, i) => 31 - i);
    expect(interval(values)).toEqual([11, 22]);
    expect(interval([5])).toEqual([5, 5]);
  });
});
