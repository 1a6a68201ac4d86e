import type { Clock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import type { Prober } from './connection.js';
import { bounded } from './parting.js';
import type { TrackedSocket } from './tracked-socket.js';

/** How long a fresh log-in may take before silence counts as death. */
const PROBE_MILLIS = 1_000;
const FIRST_PAUSE_MILLIS = 1_000;
const LONGEST_PAUSE_MILLIS = 30_000;

export interface Judged {
  readonly address: Address;
  readonly idle: TrackedSocket | undefined;
  readonly pingBoundMillis: number;
  readonly prober: Prober | undefined;
}

/**
 * Finds out whether the server at an address lives when the name itself gives reason to doubt it. Asks ever less often
 * while the answer is yes.
 */
export class Judge {
  readonly #clock: Clock;
  #busy = false;
  #notBefore = 0;
  #pause = FIRST_PAUSE_MILLIS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Null when it is too early to ask again, and where nobody is there to ask. */
  async examine(judged: Judged): Promise<Condition | null> {
    if (this.#busy || this.#clock.now() < this.#notBefore) return null;
    this.#busy = true;
    try {
      const condition = await conditionOf(judged, this.#clock);
      this.#pause = condition === 'usable' ? Math.min(LONGEST_PAUSE_MILLIS, this.#pause * 2) : FIRST_PAUSE_MILLIS;
      return condition;
    } finally {
      this.#busy = false;
      this.#notBefore = this.#clock.now() + this.#pause;
    }
  }

  reset(): void {
    this.#pause = FIRST_PAUSE_MILLIS;
    this.#notBefore = 0;
  }
}

async function conditionOf(
  { address, idle, pingBoundMillis, prober }: Judged,
  clock: Clock,
): Promise<Condition | null> {
  if (idle?.connection != null) {
    try {
      await bounded(idle.connection.ping(), pingBoundMillis, clock);
      return 'usable';
    } catch {
      // One silent connection may be a broken flow; a fresh log-in decides.
    }
  }
  if (prober === undefined) return null;
  const controller = new AbortController();
  try {
    let reply: Condition = 'usable';
    const login = prober.login(address, controller.signal).then((said) => {
      reply = said;
    });
    await bounded(login, PROBE_MILLIS, clock);
    return reply;
  } catch {
    return 'dead';
  } finally {
    controller.abort();
  }
}
