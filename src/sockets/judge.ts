import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { type Address, withPort } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import type { Prober } from './connection.js';
import { whileHeard } from './heard.js';
import { ProbeSocket } from './probe-socket.js';
import type { TrackedSocket } from './tracked-socket.js';

const FIRST_PAUSE_MILLIS = 1_000;
const LONGEST_PAUSE_MILLIS = 30_000;

/** One server, and who can ask it. */
export interface Judged {
  readonly address: Address;
  readonly idle: TrackedSocket | undefined;
  readonly pingBoundMillis: number;
  readonly prober: Prober | undefined;
}

/** A round trip on an idle connection; rejects without a sign of life. */
export async function ping(idle: TrackedSocket, boundMillis: number, clock: Clock): Promise<void> {
  await whileHeard(Promise.resolve(idle.connection?.ping()), idle, boundMillis, clock);
}

/** Log-ins under way: one to an address at a time in this process, whoever wants to know. */
const probes: Map<string, Promise<Condition>> = new Map();

/** What a fresh log-in says of a server; `dead` if it hears nothing. */
export async function probe(address: Address, prober: Prober, clock: Clock): Promise<Condition> {
  const where = withPort(address, prober.port);
  const known = probes.get(where);
  if (known !== undefined) return await known;
  const socket = new ProbeSocket(address);
  const probing = logIn(socket, prober, clock).finally(() => {
    socket.destroy();
    probes.delete(where);
  });
  probes.set(where, probing);
  return await probing;
}

async function logIn(socket: Socket, prober: Prober, clock: Clock): Promise<Condition> {
  try {
    return await whileHeard(prober.login(socket), socket, prober.timeoutMillis, clock);
  } catch {
    return 'dead';
  }
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

  /** Null when it is too early to ask again. */
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

async function conditionOf({ address, idle, pingBoundMillis, prober }: Judged, clock: Clock): Promise<Condition> {
  if (idle !== undefined) {
    try {
      await ping(idle, pingBoundMillis, clock);
      return 'usable';
    } catch {
      // One silent connection may be a broken flow; a fresh log-in decides.
    }
  }
  return prober === undefined ? 'usable' : await probe(address, prober, clock);
}
