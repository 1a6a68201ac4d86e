import type { Address } from '../endpoint/address.js';
import { EipPoolError, messageOf } from '../errors.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** What a pool has met since it last had a working connection. */
export class Trouble {
  readonly #failures: Map<Address, unknown> = new Map();
  #cause: unknown = null;
  /** What is told of all that; null until somebody is told. In an outage very many are. */
  #told: string | null = null;

  /** The last failure; null if there was none. */
  get cause(): unknown {
    return this.#cause;
  }

  note(failures: ReadonlyMap<Address, unknown>, cause: unknown): void {
    for (const [address, failure] of failures) this.#noteOne(address, failure);
    if (cause == null || cause === this.#cause) return;
    this.#cause = cause;
    this.#told = null;
  }

  /** Each caller whose time is over tells of the attempt that was made for it, mostly what others have told before. */
  #noteOne(address: Address, failure: unknown): void {
    if (this.#failures.get(address) === failure) return;
    this.#failures.set(address, failure);
    this.#told = null;
  }

  /** An attempt that its caller waits for no longer. */
  noteUnfinished({ failures, lastError, state }: TrackedSocket): void {
    const tried = new Map(failures);
    // One that waits for its turn at an address has not tried it.
    const address = state.kind === 'dialling' || state.kind === 'handshake' ? state.address : null;
    // What an earlier one met says more than that this one had no time left.
    const unknown = address !== null && !this.#failures.has(address);
    const silent = unknown ? new Error('the log-in there was not answered') : null;
    if (unknown) tried.set(address, silent);
    this.note(tried, lastError ?? silent);
  }

  deadlineError({ said, name, waitedMillis, paused, pool }: Waited): EipPoolError {
    const millis = Math.round(waitedMillis);
    const why = paused
      ? `the pool is paused, and was not resumed for ${millis} ms`
      : `no usable server behind ${name} for ${millis} ms; ${(this.#told ??= this.#tell())}`;
    const { total, opening, active, idle, waiting } = pool;
    return withoutStack(
      'DEADLINE_EXCEEDED',
      `${said}: ${why}; ` +
        `pool: total ${total}, active ${active}, idle ${idle}, waiting ${waiting}, opening ${opening}`,
      { cause: this.#cause },
    );
  }

  clear(): void {
    this.#failures.clear();
    this.#cause = null;
    this.#told = null;
  }

  #tell(): string {
    const tried = [...this.#failures].map(([address, failure]) => `${address} (${messageOf(failure)})`).join(', ');
    const cause = this.#cause === null ? 'none yet' : messageOf(this.#cause);
    return `tried: ${tried || 'no address'}; last cause: ${cause}`;
  }
}

/** It comes from a timer, so its stack leads to no caller; in an outage it is made for very many. */
function withoutStack(...given: ConstructorParameters<typeof EipPoolError>): EipPoolError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new EipPoolError(...given);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** How a caller waited in vain. */
export interface Waited {
  /** What the driver would have said; applications look for it. */
  readonly said: string;
  readonly name: string;
  readonly waitedMillis: number;
  /** Whether it waited for a pause to end. */
  readonly paused: boolean;
  readonly pool: PoolCounts;
}

export interface PoolCounts {
  readonly total: number;
  /** Leases. */
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
  /** Connections that are being made, and are in nobody's hands yet. */
  readonly opening: number;
}
