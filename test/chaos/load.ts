import { messageOf } from '../../src/errors.js';
import type { Outcome } from '../../src/outcome/outcome.js';
import type { Adopted, Kind, Operation, Reported } from './history.js';
import type { Work } from './work.js';

/** How one build of the library classifies an error. */
export type OutcomeOf = (error: unknown) => Outcome | undefined;

interface Step {
  readonly kind: Kind;
  readonly run: (work: Work, id: number) => Promise<number | null>;
}

/** One operation after the other, over and over. */
const CYCLE: readonly Step[] = [
  { kind: 'read', run: (work) => work.read(false) },
  { kind: 'write', run: (work, id) => work.write(id, false) },
  { kind: 'transaction', run: (work, id) => work.transaction(id) },
  { kind: 'read', run: (work) => work.read(true) },
  { kind: 'write', run: (work, id) => work.write(id, true) },
  { kind: 'read', run: (work) => work.read(false) },
  { kind: 'transaction', run: (work, id) => work.lease(id) },
  { kind: 'write', run: (work, id) => work.write(id, false) },
  { kind: 'call', run: (work, id) => work.call(id) },
  { kind: 'write', run: (work, id) => work.write(id, true) },
];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Operations at a steady rate, however long those before them take, and the record of each. */
export class Load {
  readonly adopted: Adopted[] = [];
  readonly #work: Work;
  readonly #outcomeOf: OutcomeOf;
  readonly #open: Map<number, Mutable<Operation>> = new Map();
  readonly #listeners: Set<() => void> = new Set();
  #ended: Operation[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(work: Work, outcomeOf: OutcomeOf) {
    this.#work = work;
    this.#outcomeOf = outcomeOf;
    this.adopted.push({ at: performance.now(), addresses: work.addresses });
    work.onMove((addresses) => this.adopted.push({ at: performance.now(), addresses }));
  }

  start(ratePerSecond: number): void {
    this.#timer = setInterval(() => void this.#begin(), 1_000 / ratePerSecond);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What has settled since the last call. */
  take(): Operation[] {
    return this.#ended.splice(0);
  }

  /** What has not settled. */
  get unsettled(): readonly Operation[] {
    return [...this.#open.values()];
  }

  /** Resolves when work that began from now on was done on a server; false if that takes too long. */
  async reached(server: number, limitMillis: number): Promise<boolean> {
    const since = performance.now();
    let seen = 0;
    return await this.#until(limitMillis, () => {
      const fresh = this.#ended.slice(seen);
      seen = this.#ended.length;
      return fresh.some((one) => one.startedAt >= since && one.server === server);
    });
  }

  /** Resolves when all that has begun by now has settled; false if that takes too long. */
  async settled(limitMillis: number): Promise<boolean> {
    const begun = [...this.#open.keys()];
    return await this.#until(limitMillis, () => !begun.some((id) => this.#open.has(id)));
  }

  /** Looks at each end of an operation. */
  async #until(limitMillis: number, isSo: () => boolean): Promise<boolean> {
    return await new Promise((resolve) => {
      const done = (result: boolean): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(result);
      };
      const look = (): void => void (isSo() && done(true));
      const timer = setTimeout(() => done(false), limitMillis);
      this.#listeners.add(look);
      look();
    });
  }

  async #begin(): Promise<void> {
    const id = ++this.#lastId;
    const { kind, run } = CYCLE[id % CYCLE.length]!;
    const operation: Mutable<Operation> = {
      ...{ id, kind, startedAt: performance.now(), endedAt: null },
      ...{ reported: null, server: null, error: null },
    };
    this.#open.set(id, operation);
    try {
      operation.server = await run(this.#work, id);
      operation.reported = 'ok';
    } catch (error) {
      operation.reported = this.#reportedOf(error);
      operation.error = `${(error as { code?: string } | null)?.code ?? 'no code'}: ${messageOf(error)}`;
    }
    operation.endedAt = performance.now();
    this.#open.delete(id);
    this.#ended.push(operation);
    for (const listener of this.#listeners) listener();
  }

  #reportedOf(error: unknown): Reported {
    return this.#outcomeOf(error) ?? 'failed';
  }
}
