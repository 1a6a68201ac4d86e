import { median, shuffle } from '../../src/cli/bench/statistics.js';

/** One way to do the work. */
export interface Side {
  open(): Opened;
}

export interface Opened {
  run(): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface Comparison {
  readonly what: string;
  /** Operations a second, median over the rounds. */
  readonly rates: readonly [number, number];
  /** First side to second, of each round. */
  readonly ratios: readonly number[];
  /** The second side to itself, of each round: what this machine calls equal. */
  readonly noise: readonly number[];
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
 * within one round is worth more than two numbers from two hours. Each slice has a pool of its own, since a pool is faster
 * or slower than its twin by where its server's processes happen to run; and the second side runs twice in each round.
 */
export async function compare(
  what: string,
  [ours, theirs]: readonly [Side, Side],
  atATime: number,
  { rounds, sliceMillis }: Rounds,
): Promise<Comparison> {
  const sides = [ours, theirs, theirs] as const;
  const slices: [Slice[], Slice[], Slice[]] = [[], [], []];
  for (const side of sides) await slice(side, atATime, sliceMillis);
  for (let round = 0; round < rounds; round++) {
    for (const index of shuffle<0 | 1 | 2>([0, 1, 2])) {
      slices[index].push(await slice(sides[index], atATime, sliceMillis));
    }
  }
  const rates = slices.map((own) => own.map(({ rate }) => rate)) as [number[], number[], number[]];
  const cpu = slices.map((own) => own.map(({ cpuMicros }) => cpuMicros)) as [number[], number[], number[]];
  return {
    what,
    rates: [median(rates[0]), median([...rates[1], ...rates[2]])],
    ratios: ratio(rates[0], mean(rates[1], rates[2])),
    noise: ratio(rates[1], rates[2]),
    cpuRatios: ratio(cpu[0], mean(cpu[1], cpu[2])),
  };
}

function mean(one: readonly number[], other: readonly number[]): number[] {
  return one.map((value, round) => (value + other[round]!) / 2);
}

function ratio(one: readonly number[], other: readonly number[]): number[] {
  return one.map((value, round) => value / other[round]!);
}

/** So many callers, each of whom begins the next one when his last one is done. */
async function slice(side: Side, atATime: number, millis: number): Promise<Slice> {
  const opened = side.open();
  await Promise.all(Array.from({ length: atATime }, () => opened.run()));
  const cpuBefore = process.cpuUsage();
  const begunAt = performance.now();
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - begunAt < millis) {
      await opened.run();
      done++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, caller));
  const { user, system } = process.cpuUsage(cpuBefore);
  const rate = (1_000 * done) / (performance.now() - begunAt);
  await opened.close();
  return { rate, cpuMicros: (user + system) / done };
}

/** The median's 95 % interval from order statistics: no assumption about the noise. */
export function interval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = (1.96 * Math.sqrt(sorted.length)) / 2;
  const low = Math.max(0, Math.floor(sorted.length / 2 - reach));
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach));
  return [sorted[low]!, sorted[high]!];
}
