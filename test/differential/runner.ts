import fc from 'fast-check';
import { messageOf } from '../../src/errors.js';
import { Course, type Side } from './course.js';
import { compare, type Comparison, isSame, sideBySide } from './differences.js';
import type { RealStage } from './stage.js';
import type { Suite } from './suite.js';

export interface Difference {
  readonly program: unknown;
  readonly text: string;
}

export interface Totals {
  readonly programs: number;
  readonly same: number;
  /** Programs whose stock course is not always the same, so that nothing can be compared with it. */
  readonly undecided: number;
  readonly wavering: Difference | null;
  /** How many programs differed for each reason that is meant. */
  readonly explained: ReadonlyMap<string, number>;
  readonly differences: readonly Difference[];
  /** Of programs, on either side, also to reduce one. */
  readonly runs: number;
}

type Verdict = Comparison['kind'] | 'undecided';

/** Between two programs; more than any limit of a pool's, so that nothing of one is left in the next. */
const APART_MILLIS = 3_600_000;
/** A course that another run does not repeat is no finding. */
const REPEATS = 2;

export class Runner {
  readonly #suite: Suite;
  readonly #stage: RealStage;
  readonly #explained: Map<string, number> = new Map();
  readonly #differences: Difference[] = [];
  #runs = 0;
  #programs = 0;
  #same = 0;
  #undecided = 0;
  /** The last program that was undecided, and the two courses that it had on the stock pool. */
  #wavering: Difference | null = null;
  #course: Course | null = null;
  onDifference: (difference: Difference) => void = () => {};
  onProgram: (programs: number) => void = () => {};

  constructor(suite: Suite, stage: RealStage) {
    this.#suite = suite;
    this.#stage = stage;
    console.warn = (text: unknown) => this.#course?.note(`warned: ${String(text)}`);
    process.on('uncaughtException', (error) => this.#stray('uncaught', error));
    process.on('unhandledRejection', (error) => this.#stray('unhandled rejection', error));
  }

  /** As many programs as asked for; each difference is reduced to the least program that shows it. */
  async run(programs: number, seed: number, mostDifferences: number): Promise<Totals> {
    for (let i = 0; this.#programs < programs && this.#differences.length < mostDifferences; i++) {
      let reducing = false;
      const property = fc.asyncProperty(this.#suite.programs, async (program) => {
        const verdict = await this.judge(program);
        if (!reducing) this.#count(verdict);
        reducing ||= verdict === 'different';
        return verdict !== 'different';
      });
      const result = await fc.check(property, { seed: seed + i, numRuns: programs - this.#programs });
      if (result.counterexample === null) continue;
      const [program] = result.counterexample;
      const difference = { program, text: await this.describe(program) };
      this.#differences.push(difference);
      this.onDifference(difference);
    }
    return {
      programs: this.#programs,
      same: this.#same,
      undecided: this.#undecided,
      wavering: this.#wavering,
      explained: this.#explained,
      differences: this.#differences,
      runs: this.#runs,
    };
  }

  async judge(program: Parameters<Suite['perform']>[0]): Promise<Verdict> {
    for (let repeat = 0; ; repeat++) {
      const stock = await this.#perform(program, 'stock');
      const ours = await this.#perform(program, 'ours');
      const comparison = compare(stock, ours, this.#suite.allowances);
      if (comparison.kind === 'explained') {
        for (const one of comparison.reasons) this.#explained.set(one, (this.#explained.get(one) ?? 0) + 1);
      }
      if (comparison.kind !== 'different') return comparison.kind;
      const again = await this.#perform(program, 'stock');
      if (!isSame(stock.entries, again.entries)) {
        this.#wavering = { program, text: sideBySide(stock.entries, again.entries) };
        return 'undecided';
      }
      if (repeat === REPEATS) return 'different';
    }
  }

  async describe(program: Parameters<Suite['perform']>[0]): Promise<string> {
    const stock = await this.#perform(program, 'stock');
    const ours = await this.#perform(program, 'ours');
    return sideBySide(stock.entries, ours.entries);
  }

  async #perform(program: Parameters<Suite['perform']>[0], side: Side): Promise<Course> {
    const { time, wire } = this.#stage;
    time.skip(APART_MILLIS);
    wire.begin(program.turn);
    const course = new Course(++this.#runs);
    this.#course = course;
    try {
      await this.#suite.perform(program, side, this.#stage, course);
      return course;
    } catch (error) {
      throw new Error(`${side}: ${messageOf(error)} in ${JSON.stringify(program)}`, { cause: error });
    } finally {
      await wire.clear();
    }
  }

  #count(verdict: Verdict): void {
    this.#programs++;
    if (verdict === 'same') this.#same++;
    if (verdict === 'undecided') this.#undecided++;
    this.onProgram(this.#programs);
  }

  #stray(what: string, error: unknown): void {
    this.#course?.note(`${what}: ${messageOf(error)}`);
  }
}
