import { median, shuffle } from '../statistics.js';

/** One of two ways to do the same work. */
export interface Side {
  readonly label: string;
  run(): Promise<unknown>;
}

export interface Comparison {
  readonly what: string;
  /** Operations a second, median over the rounds. */
  readonly rates: readonly [number, number];
  /** First side to second, of each round. */
  readonly ratios: readonly number[];
}

export interface Rounds {
  readonly rounds: number;
  readonly sliceMillis: number;
}

/**
 * Both sides in one process, in slices that alternate in random order: what disturbs one disturbs the other, and a ratio
 * within one round is worth more than two numbers from two hours.
 */
export async function compare(
  what: string,
  sides: readonly [Side, Side],
  atATime: number,
  { rounds, sliceMillis }: Rounds,
): Promise<Comparison> {
  const rates: [number[], number[]] = [[], []];
  for (const side of sides) await slice(side, atATime, sliceMillis);
  for (let round = 0; round < rounds; round++) {
    for (const index of shuffle<0 | 1>([0, 1])) {
      globalThis.gc?.();
      rates[index].push(await slice(sides[index], atATime, sliceMillis));
    }
  }
  const ratios = rates[0].map((rate, round) => rate / rates[1][round]!);
  return { what, rates: [median(rates[0]), median(rates[1])], ratios };
}

/** Operations a second of so many callers, each of whom begins the next one when his last one is done. */
async function slice(side: Side, atATime: number, millis: number): Promise<number> {
  const begunAt = performance.now();
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - begunAt < millis) {
      await side.run();
      done++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, caller));
  return (1_000 * done) / (performance.now() - begunAt);
}

/** The median's 95 % interval from order statistics: no assumption about the noise. */
export function interval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = (1.96 * Math.sqrt(sorted.length)) / 2;
  const low = Math.max(0, Math.floor(sorted.length / 2 - reach));
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach));
  return [sorted[low]!, sorted[high]!];
}
