import { median, shuffle } from '../../src/cli/bench/statistics.js';

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
  /** CPU time of this process for one operation, first side to second, of each round: the server's share is not in it. */
  readonly cpuRatios: readonly number[];
}

interface Slice {
  /** Operations a second. */
  readonly rate: number;
  readonly cpuMicros: number;
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
  const slices: [Slice[], Slice[]] = [[], []];
  for (const side of sides) await slice(side, atATime, sliceMillis);
  for (let round = 0; round < rounds; round++) {
    for (const index of shuffle<0 | 1>([0, 1])) {
      slices[index].push(await slice(sides[index], atATime, sliceMillis));
    }
  }
  const of = (value: (slice: Slice) => number): [number[], number[]] => [slices[0].map(value), slices[1].map(value)];
  const [rates, cpu] = [of(({ rate }) => rate), of(({ cpuMicros }) => cpuMicros)];
  const ratio = ([ours, theirs]: [number[], number[]]): number[] => ours.map((value, round) => value / theirs[round]!);
  return { what, rates: [median(rates[0]), median(rates[1])], ratios: ratio(rates), cpuRatios: ratio(cpu) };
}

/** So many callers, each of whom begins the next one when his last one is done. */
async function slice(side: Side, atATime: number, millis: number): Promise<Slice> {
  const cpuBefore = process.cpuUsage();
  const begunAt = performance.now();
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - begunAt < millis) {
      await side.run();
      done++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, caller));
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: (1_000 * done) / (performance.now() - begunAt), cpuMicros: (user + system) / done };
}

/** The median's 95 % interval from order statistics: no assumption about the noise. */
export function interval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = (1.96 * Math.sqrt(sorted.length)) / 2;
  const low = Math.max(0, Math.floor(sorted.length / 2 - reach));
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach));
  return [sorted[low]!, sorted[high]!];
}
