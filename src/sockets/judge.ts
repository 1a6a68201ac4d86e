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

interface Probe {
  readonly address: Address;
  readonly socket: ProbeSocket;
  readonly result: Promise<Condition | null>;
}

/** Log-ins under way: one to an address at a time in this process, whoever wants to know. */
const probes: Map<string, Probe> = new Map();

/** What a fresh log-in says of a server; `dead` if it hears nothing, null if it was abandoned. */
export async function probe(address: Address, prober: Prober, clock: Clock): Promise<Condition | null> {
  const where = withPort(address, prober.port);
  let under = probes.get(where);
  if (under === undefined) {
    const socket = new ProbeSocket(address);
    const result = logIn(socket, prober, clock).finally(() => {
      socket.destroy();
      probes.delete(where);
    });
    under = { address, socket, result };
    probes.set(where, under);
  }
  return await under.result;
}

/** The name has left the address. */
export function abandonProbes(address: Address): void {
  for (const under of probes.values()) if (under.address === address) under.socket.abandon();
}

async function logIn(socket: ProbeSocket, prober: Prober, clock: Clock): Promise<Condition | null> {
  let condition: Condition = 'dead';
  try {
    condition = await whileHeard(prober.login(socket), socket, prober.timeoutMillis, clock);
  } catch {
    // Nothing answered.
  }
  return socket.abandoned ? null : condition;
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
      this.#pause =
        condition === 'usable' || condition === 'read-only'
          ? Math.min(LONGEST_PAUSE_MILLIS, this.#pause * 2)
          : FIRST_PAUSE_MILLIS;
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

/** A log-in asks the server's role too; where it hears nothing, an idle connection may still be alive. */
async function conditionOf(
  { address, idle, pingBoundMillis, prober }: Judged,
  clock: Clock,
): Promise<Condition | null> {
  const condition = prober === undefined ? null : await probe(address, prober, clock);
  if (idle === undefined || (condition !== null && condition !== 'dead')) return condition;
  try {
    await ping(idle, pingBoundMillis, clock);
    return 'usable';
  } catch {
    return 'dead';
  }
}
