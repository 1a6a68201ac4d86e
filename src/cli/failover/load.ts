import { outcomeOf } from '../../outcome/outcome.js';
import { type LoadClient, WRITE } from './client.js';
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
  readonly #prefix: string;
  #beganAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Each write has an id of its own, which begins with `prefix`. */
  constructor(client: LoadClient, ratePerSecond: number, prefix: string) {
    this.#client = client;
    this.#intervalMillis = 1_000 / ratePerSecond;
    this.#prefix = prefix;
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
    const id = index % 2 === 0 ? `${this.#prefix}${index}` : null;
    const kind = id === null ? 'read' : 'write';
    const under: Operation = { kind, id, intendedAt, endedAt: null, server: null, error: null, outcome: null };
    this.#operations.push(under);
    this.#perform(id).then(
      (server) => {
        this.#operations[index] = {
          ...under,
          endedAt: sharedNow(),
          server: typeof server === 'number' ? server : null,
        };
      },
      (error: unknown) => {
        const outcome = outcomeOf(error, id === null ? 'select 1' : WRITE) ?? 'other';
        this.#operations[index] = { ...under, endedAt: sharedNow(), error: String(error), outcome };
      },
    );
  }

  /** A client that throws instead of rejecting has failed the same way. */
  async #perform(id: string | null): Promise<unknown> {
    return await (id === null ? this.#client.read() : this.#client.write(id));
  }
}
