import type { Clock, Timer } from '../clock.js';

/**
 * Design, sockets rule 4: how many connection attempts to one address may be under way. The decisions are pure; the
 * class below owns the queue and the timer.
 */
export interface GateState {
  /** How many may be under way now: 1 at first, doubled with each success. */
  readonly limit: number;
  readonly active: number;
  /** Failures since the last success. */
  readonly failures: number;
  /** No attempt begins before this time. */
  readonly notBefore: number;
}

export const openGate: GateState = { limit: 1, active: 0, failures: 0, notBefore: 0 };

/** How an attempt ended. `aborted`: it says nothing about the server. */
export type AttemptResult = 'success' | 'failure' | 'aborted';

const BACKOFF_FIRST_MILLIS = 50;
const BACKOFF_CAP_MILLIS = 1_000;

export function afterAttempt(
  gate: GateState,
  result: AttemptResult,
  now: number,
  concurrency: number,
  random: number,
): GateState {
  const active = gate.active - 1;
  switch (result) {
    case 'aborted':
      return { ...gate, active };
    case 'success':
      return { limit: Math.min(concurrency, gate.limit * 2), active, failures: 0, notBefore: 0 };
    case 'failure':
      return { limit: 1, active, failures: gate.failures + 1, notBefore: now + backoff(gate.failures, random) };
  }
}

/** Full jitter, so that many processes spread out: anything between nothing and the exponential bound. */
export function backoff(failures: number, random: number): number {
  return random * Math.min(BACKOFF_CAP_MILLIS, BACKOFF_FIRST_MILLIS * 2 ** failures);
}

/**
 * Milliseconds until the next attempt may begin; null while as many are under way as may be. A hurried one is not held
 * back by earlier failures: whoever asks for it would rather have the next failure than wait.
 */
export function mayStartIn(gate: GateState, now: number, hurried: boolean = false): number | null {
  if (gate.active >= gate.limit) return null;
  return hurried ? 0 : Math.max(0, gate.notBefore - now);
}

/** One attempt's place at the gate. Whoever has it must end it exactly once; later calls do nothing. */
export interface Ticket {
  /** The server took the connection, whatever becomes of it. */
  reach(): void;
  end(result: AttemptResult): void;
}

/** How somebody comes to the gate. */
export interface Arrival {
  /** Whether a failure is wanted rather than a delay. */
  readonly hurried?: () => boolean;
  /** Those of one party are one attempt: they begin when the first may, and it ends with the last of them. */
  readonly party?: object;
}

type Begin = (ticket: Ticket) => void;

class Attempt {
  readonly hurried: boolean;
  readonly #onReach: () => void;
  readonly #onEnd: (attempt: Attempt, result: AttemptResult) => void;
  readonly #members: Map<Ticket, Begin> = new Map();
  #result: AttemptResult = 'aborted';
  begun = false;

  constructor(hurried: boolean, onReach: () => void, onEnd: (attempt: Attempt, result: AttemptResult) => void) {
    this.hurried = hurried;
    this.#onReach = onReach;
    this.#onEnd = onEnd;
  }

  join(begin: Begin): Ticket {
    const ticket: Ticket = { reach: this.#onReach, end: (result) => this.#leave(ticket, result) };
    this.#members.set(ticket, begin);
    if (this.begun) begin(ticket);
    return ticket;
  }

  begin(): void {
    this.begun = true;
    for (const [ticket, begin] of [...this.#members]) begin(ticket);
  }

  /** A failure of one is the attempt's. */
  #leave(ticket: Ticket, result: AttemptResult): void {
    if (!this.#members.delete(ticket)) return;
    if (result === 'failure' || this.#result === 'aborted') this.#result = result;
    if (this.#members.size === 0) this.#onEnd(this, this.#result);
  }
}

export class Gate {
  readonly #clock: Clock;
  readonly #concurrency: number;
  #state: GateState = openGate;
  readonly #queue: Set<Attempt> = new Set();
  readonly #parties: Map<object, Attempt> = new Map();
  #timer: Timer | undefined;
  #reached = 0;

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  get failures(): number {
    return this.#state.failures;
  }

  /** How many attempts have reached the server. */
  get reached(): number {
    return this.#reached;
  }

  /** Calls `begin` when an attempt may start: at once if it may, never if its ticket is ended before. */
  enter(begin: Begin, { hurried, party }: Arrival = {}): Ticket {
    const known = party === undefined ? undefined : this.#parties.get(party);
    if (known !== undefined) return known.join(begin);
    const reach = (): void => void this.#reached++;
    const attempt = new Attempt(hurried?.() ?? false, reach, (ended, result) => {
      if (party !== undefined) this.#parties.delete(party);
      this.#end(ended, result);
    });
    if (party !== undefined) this.#parties.set(party, attempt);
    const ticket = attempt.join(begin);
    this.#queue.add(attempt);
    this.#pulse();
    return ticket;
  }

  #end(attempt: Attempt, result: AttemptResult): void {
    if (attempt.begun) {
      const [now, random] = [this.#clock.now(), this.#clock.random()];
      this.#state = afterAttempt(this.#state, result, now, this.#concurrency, random);
    }
    this.#queue.delete(attempt);
    this.#pulse();
  }

  #pulse(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    for (const attempt of this.#queue) {
      const delay = mayStartIn(this.#state, this.#clock.now(), attempt.hurried);
      if (delay === null) return;
      if (delay > 0) {
        // Awaited: a caller waits for the connection.
        this.#timer ??= this.#clock.setAwaited(() => this.#pulse(), delay);
        continue;
      }
      this.#queue.delete(attempt);
      this.#state = { ...this.#state, active: this.#state.active + 1 };
      attempt.begin();
    }
  }
}
