import { AsyncLocalStorage } from 'node:async_hooks';
import { messageOf } from '../../src/errors.js';
import type { Outcome } from '../../src/outcome/outcome.js';
import type { Adopted, Kind, Operation, Reported } from './history.js';
import { isLocal } from './local.js';
import { type Caller, limitMillis, type Work } from './work.js';

/** How one build of the library classifies an error. */
export type OutcomeOf = (error: unknown) => Outcome | undefined;

interface Step {
  readonly kind: Kind;
  /** How often it may have to wait for a connection; what was cut off waits once more to be run again. */
  readonly waits?: number;
  readonly run: (work: Work, caller: Caller) => Promise<number | null>;
}

const WAITS = 2;
/** A read, and then a transaction. */
const MOST_WAITS = 2 * WAITS;

const STEPS = {
  read: { kind: 'read', run: (work) => work.read('quick') },
  'slow read': { kind: 'read', run: (work) => work.read('slow') },
  'long read': { kind: 'read', run: (work) => work.read('long') },
  'read, called back': { kind: 'read', run: (work, caller) => work.readCalledBack(caller) },
  write: { kind: 'write', run: (work, caller) => work.write(caller, 'quick') },
  'slow write': { kind: 'write', run: (work, caller) => work.write(caller, 'slow') },
  'long write': { kind: 'write', run: (work, caller) => work.write(caller, 'long') },
  'write, called back': { kind: 'write', run: (work, caller) => work.writeCalledBack(caller) },
  transaction: { kind: 'transaction', run: (work, caller) => work.transaction(caller) },
  nested: { kind: 'transaction', run: (work, caller) => work.nested(caller) },
  unrelated: { kind: 'transaction', waits: MOST_WAITS, run: (work, caller) => work.unrelated(caller) },
  lease: { kind: 'transaction', run: (work, caller) => work.lease(caller) },
  rollback: { kind: 'rollback', run: (work, caller) => work.rollback(caller) },
  call: { kind: 'call', run: (work, caller) => work.call(caller) },
} as const satisfies Readonly<Record<string, Step>>;

type StepName = keyof typeof STEPS;

/** One operation after the other, over and over. */
const CYCLE: readonly StepName[] = [
  ...(['read', 'write', 'transaction', 'slow read', 'slow write', 'rollback', 'read, called back'] as const),
  ...(['lease', 'write, called back', 'unrelated', 'call', 'read', 'slow write', 'nested', 'write'] as const),
];
/** What a crowd wants: all of it at once. */
const CROWD: readonly StepName[] = ['read', 'write, called back', 'read, called back', 'write'];
const LONG: readonly StepName[] = ['long read', 'long write'];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface LoadOptions {
  /** Leases of a pool that knows nothing of statements: no read of theirs is run again. */
  readonly onLeases: boolean;
  readonly deadlineMillis: number;
}

/** Operations at a steady rate, however long those before them take, and the record of each. */
export class Load {
  readonly adopted: Adopted[] = [];
  readonly #work: Work;
  readonly #outcomeOf: OutcomeOf;
  readonly #open: Map<number, Mutable<Operation>> = new Map();
  readonly #listeners: Set<() => void> = new Set();
  #ended: Operation[] = [];
  /** Whose work it is that runs. */
  readonly #context: AsyncLocalStorage<number> = new AsyncLocalStorage();
  readonly #onLeases: boolean;
  readonly #deadlineMillis: number;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(work: Work, outcomeOf: OutcomeOf, { onLeases, deadlineMillis }: LoadOptions) {
    this.#work = work;
    this.#outcomeOf = outcomeOf;
    this.#onLeases = onLeases;
    this.#deadlineMillis = deadlineMillis;
    this.#noteAddresses();
    work.endpoint.on('move', () => this.#noteAddresses());
  }

  start(ratePerSecond: number): void {
    this.#timer = setInterval(() => this.#begin(CYCLE[(this.#lastId + 1) % CYCLE.length]!), 1_000 / ratePerSecond);
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

  /** Resolves when all that has begun by now has settled, or is past its limit. */
  async settled(): Promise<void> {
    const now = performance.now();
    const left = ({ startedAt, limitMillis }: Operation): number => startedAt + limitMillis - now;
    const begun = [...this.#open.values()].filter((operation) => left(operation) > 0);
    const longest = begun.reduce((most, operation) => Math.max(most, left(operation)), 0);
    await this.#until(longest, () => !begun.some(({ id }) => this.#open.has(id)));
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

  /** So many callers in one turn. */
  crowd(count: number): void {
    for (let i = 0; i < count; i++) this.#begin(CROWD[i % CROWD.length]!);
  }

  /** Statements that are longer than a server may be silent without being asked. */
  long(count: number): void {
    for (let i = 0; i < count; i++) this.#begin(LONG[i % LONG.length]!);
  }

  /** One that comes to those that the pool has is no move, and is told by no event. */
  #noteAddresses(): void {
    const addresses = this.#work.endpoint.current?.addresses ?? [];
    if (addresses.join() === this.adopted.at(-1)?.addresses.join()) return;
    this.adopted.push({ at: performance.now(), addresses });
  }

  #begin(step: StepName): void {
    this.#noteAddresses();
    const id = ++this.#lastId;
    const { kind, run, waits = WAITS }: Step = STEPS[step];
    const operation: Mutable<Operation> = {
      ...{ id, kind: this.#onLeases && kind === 'read' ? 'read on a lease' : kind },
      ...{
        limitMillis: limitMillis(waits, this.#deadlineMillis),
        startedAt: performance.now(),
        endedAt: null,
        reported: null,
        server: null,
      },
      ...{ error: null, local: false, answers: 0, strayed: false },
    };
    this.#open.set(id, operation);
    const caller: Caller = {
      id,
      answered: () => {
        operation.answers++;
        operation.strayed ||= this.#context.getStore() !== id;
        if (operation.endedAt !== null) this.#ended.push(operation); // it was told of before, but not of this
      },
    };
    void this.#context.run(id, async () => await this.#follow(operation, () => run(this.#work, caller)));
  }

  async #follow(operation: Mutable<Operation>, run: () => Promise<number | null>): Promise<void> {
    try {
      operation.server = await run();
      operation.reported = 'ok';
    } catch (error) {
      operation.reported = this.#reportedOf(error);
      operation.local = isLocal(error);
      operation.error = `${(error as { code?: string } | null)?.code ?? 'no code'}: ${messageOf(error)}`;
    }
    operation.answers ||= 1;
    this.#noteAddresses();
    operation.endedAt = performance.now();
    this.#open.delete(operation.id);
    this.#ended.push(operation);
    for (const listener of this.#listeners) listener();
  }

  #reportedOf(error: unknown): Reported {
    return this.#outcomeOf(error) ?? 'failed';
  }
}
