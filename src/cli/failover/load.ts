import type { LoadClient } from './client.js';
import type { Operation } from './operation.js';
import { sharedNow } from './rpc.js';

/**
 * Operations at a set rate, each begun when it is due whatever became of those before it: a client that stands still is
 * charged for everything that it should have done meanwhile.
 */
export class Load {
  readonly #client: LoadClient;
  readonly #intervalMillis: number;
  readonly #operations: Operation[] = [];
  readonly #label: string;
  #beganAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: LoadClient, ratePerSecond: number, label: string) {
    this.#client = client;
    this.#intervalMillis = 1_000 / ratePerSecond;
    this.#label = label;
  }

  /** In the order in which they were due. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  start(): void {
    this.#beganAt = sharedNow();
    this.#tick();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #tick(): void {
    const dueAt = (): number => this.#beganAt + this.#operations.length * this.#intervalMillis;
    while (dueAt() <= sharedNow()) this.#begin(dueAt());
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, dueAt() - sharedNow()));
  }

  #begin(intendedAt: number): void {
    const index = this.#operations.length;
    const kind = index % 2 === 0 ? 'write' : 'read';
    const under: Operation = { kind, intendedAt, endedAt: null, server: null, error: null };
    this.#operations.push(under);
    const work = kind === 'write' ? this.#client.write(`${this.#label}-${index}`) : this.#client.read();
    work.then(
      (server) => (this.#operations[index] = { ...under, endedAt: sharedNow(), server }),
      (error: unknown) => (this.#operations[index] = { ...under, endedAt: sharedNow(), error: String(error) }),
    );
  }
}
