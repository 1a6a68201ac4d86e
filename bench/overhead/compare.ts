import { monitorEventLoopDelay } from 'node:perf_hooks';
import { median, shuffle } from '../../src/cli/bench/statistics.js';

/** One way to do the work. */
export interface Side {
  /** Resolves when it has so many connections: what they cost to make is not measured. */
  open(connections: number): Promise<Opened>;
}

export interface Opened {
  run(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The same work done by this library, and by what it stands in for. */
export interface Work {
  readonly what: string;
  /** Whether it waits for a server; else it never lets go of the event loop, whose delay says nothing then. */
  readonly waits: boolean;
  readonly sides: readonly [Side, Side];
}

export interface Comparison {
  /** Operations a second, median over the rounds. */
  readonly rates: readonly [number, number];
  /** First side to second, of each round. */
  readonly ratios: readonly number[];
  /** The second side to itself, of each round: what this machine calls equal. */
  readonly noise: readonly number[];
  /** CPU time of this process for one operation, first side to second, of each round: the server's share is not in it. */
  readonly cpuRatios: readonly number[];
}

/** p99 of how late the event loop comes to a timer, in milliseconds: of each side, and of the second one again. */
export interface DelayComparison {
  readonly p99: readonly [number, number];
  readonly ratios: readonly number[];
  readonly noise: readonly number[];
}

export interface Rounds {
  readonly rounds: number;
  readonly sliceMillis: number;
  /** How many connections a pool may have. */
  readonly poolSize: number;
}

/** What one slice comes to, for each round: the first side, the second, and the second once more. */
type Rows<T> = readonly [T[], T[], T[]];

export async function compare({ sides }: Work, atATime: number, rounds: Rounds): Promise<Comparison> {
  const rows = await alternate(sides, atATime, rounds, throughput);
  const [rates, cpu] = [column(rows, ({ rate }) => rate), column(rows, ({ cpuMicros }) => cpuMicros)];
  return {
    rates: [median(rates[0]), median([...rates[1], ...rates[2]])],
    ratios: ratio(rates[0], mean(rates[1], rates[2])),
    noise: ratio(rates[1], rates[2]),
    cpuRatios: ratio(cpu[0], mean(cpu[1], cpu[2])),
  };
}

/** In slices of their own: the histogram's timer costs a little. */
export async function compareDelays({ sides }: Work, atATime: number, rounds: Rounds): Promise<DelayComparison> {
  const p99 = column(await alternate(sides, atATime, rounds, delay), (value) => value);
  return {
    p99: [median(p99[0]), median([...p99[1], ...p99[2]])],
    ratios: ratio(p99[0], mean(p99[1], p99[2])),
    noise: ratio(p99[1], p99[2]),
  };
}

/**
 * Both sides in one process, in slices that alternate in random order: what disturbs one disturbs the other, and a ratio
 * within one round is worth more than two numbers from two hours. Each slice has a pool of its own, since a pool is faster
 * or slower than its twin by where its server's processes happen to run; and the second side runs twice in each round.
 */
async function alternate<T>(
  [ours, theirs]: readonly [Side, Side],
  atATime: number,
  { rounds, sliceMillis, poolSize }: Rounds,
  measure: (load: () => Promise<number>) => Promise<T>,
): Promise<Rows<T>> {
  const sides = [ours, theirs, theirs] as const;
  const rows: Rows<T> = [[], [], []];
  const connections = Math.min(atATime, poolSize);
  const one = (side: Side): Promise<T> => slice(side, connections, atATime, sliceMillis, measure);
  for (const side of sides) await one(side);
  for (let round = 0; round < rounds; round++) {
    for (const index of shuffle<0 | 1 | 2>([0, 1, 2])) {
      rows[index].push(await one(sides[index]));
    }
  }
  return rows;
}

function column<T>(rows: Rows<T>, of: (value: T) => number): Rows<number> {
  return [rows[0].map(of), rows[1].map(of), rows[2].map(of)];
}

function mean(one: readonly number[], other: readonly number[]): number[] {
  return one.map((value, round) => (value + other[round]!) / 2);
}

function ratio(one: readonly number[], other: readonly number[]): number[] {
  return one.map((value, round) => value / other[round]!);
}

/** So many callers, each of whom begins the next one when his last one is done; `load` resolves to how many were done. */
async function slice<T>(
  side: Side,
  connections: number,
  atATime: number,
  millis: number,
  measure: (load: () => Promise<number>) => Promise<T>,
): Promise<T> {
  const opened = await side.open(connections);
  await Promise.all(Array.from({ length: atATime }, () => opened.run()));
  let done = 0;
  const caller = async (until: number): Promise<void> => {
    while (performance.now() < until) {
      await opened.run();
      done++;
    }
  };
  const result = await measure(async () => {
    const until = performance.now() + millis;
    await Promise.all(Array.from({ length: atATime }, () => caller(until)));
    return done;
  });
  await opened.close();
  return result;
}

async function throughput(load: () => Promise<number>): Promise<{ readonly rate: number; readonly cpuMicros: number }> {
  const cpuBefore = process.cpuUsage();
  const begunAt = performance.now();
  const done = await load();
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: (1_000 * done) / (performance.now() - begunAt), cpuMicros: (user + system) / done };
}

async function delay(load: () => Promise<number>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await load();
  histogram.disable();
  return histogram.percentile(99) / 1e6;
}

/** The median's 95 % interval from order statistics: no assumption about the noise. */
export function interval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = (1.96 * Math.sqrt(sorted.length)) / 2;
  const low = Math.max(0, Math.floor(sorted.length / 2 - reach));
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach));
  return [sorted[low]!, sorted[high]!];
}
