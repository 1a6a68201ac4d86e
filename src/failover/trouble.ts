import type { Address } from '../endpoint/address.js';
import { EipPoolError, messageOf } from '../errors.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** What a pool has met since it last had a working connection. */
export class Trouble {
  readonly #failures: Map<Address, unknown> = new Map();
  #cause: unknown = null;

  /** The last failure; null if there was none. */
  get cause(): unknown {
    return this.#cause;
  }

  note(failures: ReadonlyMap<Address, unknown>, cause: unknown): void {
    for (const [address, failure] of failures) this.#failures.set(address, failure);
    if (cause != null) this.#cause = cause;
  }

  /** An attempt that its caller waits for no longer. */
  noteUnfinished({ failures, lastError, state }: TrackedSocket): void {
    const tried = new Map(failures);
    // One that waits for its turn at an address has not tried it.
    const address = state.kind === 'dialling' || state.kind === 'handshake' ? state.address : null;
    const silent = new Error('the log-in there was not answered');
    // What an earlier one met says more than that this one had no time left.
    const unknown = address !== null && !this.#failures.has(address);
    if (unknown) tried.set(address, silent);
    this.note(tried, lastError ?? (unknown ? silent : null));
  }

  /** `opening` is what the driver would have said; applications look for it. */
  deadlineError(opening: string, name: string, waitedMillis: number, counts: PoolCounts): EipPoolError {
    const tried = [...this.#failures].map(([address, failure]) => `${address} (${messageOf(failure)})`).join(', ');
    return new EipPoolError(
      'DEADLINE_EXCEEDED',
      `${opening}: no usable server behind ${name} for ${Math.round(waitedMillis)} ms; ` +
        `tried: ${tried || 'no address'}; last cause: ${this.#cause === null ? 'none yet' : messageOf(this.#cause)}; ` +
        `pool: total ${counts.total}, active ${counts.active}, idle ${counts.idle}, waiting ${counts.waiting}`,
      { cause: this.#cause },
    );
  }

  clear(): void {
    this.#failures.clear();
    this.#cause = null;
  }
}

export interface PoolCounts {
  readonly total: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
}
