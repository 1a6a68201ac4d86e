import { monitorEventLoopDelay } from 'node:perf_hooks';
import { median, quantile, shuffle } from '../../src/cli/bench/statistics.js';

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

/** What one process measured, a value for each of its rounds. */
export interface Comparison {
  /** Operations a second. */
  readonly rates: readonly [number[], number[]];
  /** First side to second. */
  readonly ratios: number[];
  /** The second side to itself: what this machine calls equal. */
  readonly noise: number[];
  /** CPU time of this process for one operation, first side to second: the server's share is not in it. */
  readonly cpuRatios: number[];
}

/** p99 of how late the event loop comes to a timer, in milliseconds: of each side, and of the second one again. */
export interface DelayComparison {
  readonly p99: readonly [number[], number[]];
  readonly ratios: number[];
  readonly noise: number[];
}

export interface Rounds {
  readonly rounds: number;
  /** How many slices of each side a round has. */
  readonly slices: number;
  readonly sliceMillis: number;
  /** How many connections a pool may have. */
  readonly poolSize: number;
}

/** What the slices of one round come to, for each round: the first side, the second, and the second once more. */
type Rows<T> = readonly [T[], T[], T[]];

type Load = (millis: number) => Promise<number>;

export async function compare({ sides }: Work, atATime: number, rounds: Rounds): Promise<Comparison> {
  const rows = await alternate(sides, atATime, rounds, throughput, sum);
  const rates = column(rows, ({ done, millis }) => (1_000 * done) / millis);
  const cpu = column(rows, ({ done, cpuMicros }) => cpuMicros / done);
  return {
    rates: [rates[0], mean(rates[1], rates[2])],
    ratios: ratio(rates[0], mean(rates[1], rates[2])),
    noise: ratio(rates[1], rates[2]),
    cpuRatios: ratio(cpu[0], mean(cpu[1], cpu[2])),
  };
}

/** In slices of their own: the histogram's timer costs a little. */
export async function compareDelays({ sides }: Work, atATime: number, rounds: Rounds): Promise<DelayComparison> {
  const p99 = column(await alternate(sides, atATime, rounds, delay, median), (value) => value);
  return {
    p99: [p99[0], mean(p99[1], p99[2])],
    ratios: ratio(p99[0], mean(p99[1], p99[2])),
    noise: ratio(p99[1], p99[2]),
  };
}

/**
 * Both sides in one process, in short slices that alternate in random order: what disturbs one disturbs the other, since
 * a machine that is shared is seldom as fast as it was a second ago. Each round has pools of its own, since a pool is
 * faster or slower than its twin by where its server's processes happen to run; and the second side runs twice.
 */
async function alternate<T>(
  [ours, theirs]: readonly [Side, Side],
  atATime: number,
  { rounds, slices, sliceMillis, poolSize }: Rounds,
  measure: (load: Load, millis: number) => Promise<T>,
  total: (slices: T[]) => T,
): Promise<Rows<T>> {
  const sides = [ours, theirs, theirs] as const;
  const rows: Rows<T> = [[], [], []];
  const connections = Math.min(atATime, poolSize);
  const round = async (): Promise<readonly T[]> => {
    const pools = await inTurn((index) => sides[index].open(connections));
    const loads = pools.map(
      (pool): Load =>
        (millis) =>
          load(pool, atATime, millis),
    );
    await inTurn((index) => loads[index]!(sliceMillis));
    const measured: Rows<T> = [[], [], []];
    for (let slice = 0; slice < slices; slice++) {
      await inTurn(async (index) => measured[index].push(await measure(loads[index]!, sliceMillis)));
    }
    await inTurn((index) => pools[index]!.close());
    return measured.map(total);
  };
  // What is compiled in the first round is no cost of the second.
  await round();
  for (let i = 0; i < rounds; i++) for (const [index, value] of (await round()).entries()) rows[index]!.push(value);
  return rows;
}

/** The sides one after another, in random order; the results in their own. */
async function inTurn<T>(run: (side: 0 | 1 | 2) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const index of shuffle<0 | 1 | 2>([0, 1, 2])) results[index] = await run(index);
  return results;
}

/** So many callers, each of whom begins the next one when his last one is done; resolves to how many were done. */
async function load(pool: Opened, atATime: number, millis: number): Promise<number> {
  let done = 0;
  const until = performance.now() + millis;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await pool.run();
      done++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, caller));
  return done;
}

interface Throughput {
  readonly done: number;
  readonly millis: number;
  readonly cpuMicros: number;
}

async function throughput(load: Load, sliceMillis: number): Promise<Throughput> {
  const cpuBefore = process.cpuUsage();
  const begunAt = performance.now();
  const done = await load(sliceMillis);
  const { user, system } = process.cpuUsage(cpuBefore);
  return { done, millis: performance.now() - begunAt, cpuMicros: user + system };
}

function sum(slices: readonly Throughput[]): Throughput {
  const of = (key: keyof Throughput): number => slices.reduce((total, slice) => total + slice[key], 0);
  return { done: of('done'), millis: of('millis'), cpuMicros: of('cpuMicros') };
}

async function delay(load: Load, sliceMillis: number): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await load(sliceMillis);
  histogram.disable();
  return histogram.percentile(99) / 1e6;
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

const RESAMPLES = 2_000;

/**
 * The 95 % interval of the median of what several processes measured. What the compiler makes of a process differs more
 * from process to process than its rounds do; so processes are drawn anew first, and then rounds in them (a bootstrap in
 * two stages).
 */
export function interval(processes: readonly (readonly number[])[]): readonly [number, number] {
  const draw = <T>(from: readonly T[]): T[] => from.map(() => from[Math.floor(Math.random() * from.length)]!);
  const medians = Array.from({ length: RESAMPLES }, () => median(draw(processes).flatMap(draw)));
  return [quantile(medians, 0.025), quantile(medians, 0.975)];
}
