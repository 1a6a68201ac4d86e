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

/** Milliseconds until the next attempt may begin; null while as many are under way as may be. */
export function mayStartIn(gate: GateState, now: number): number | null {
  return gate.active < gate.limit ? Math.max(0, gate.notBefore - now) : null;
}

/** One attempt's place at the gate. Whoever has it must end it exactly once; later calls do nothing. */
export interface Ticket {
  end(result: AttemptResult): void;
}

class Attempt implements Ticket {
  readonly begin: (ticket: Ticket) => void;
  readonly #end: (attempt: Attempt, result: AttemptResult) => void;
  begun = false;
  #ended = false;

  constructor(begin: (ticket: Ticket) => void, end: (attempt: Attempt, result: AttemptResult) => void) {
    this.begin = begin;
    this.#end = end;
  }

  end(result: AttemptResult): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end(this, result);
  }
}

export class Gate {
  readonly #clock: Clock;
  readonly #concurrency: number;
  #state: GateState = openGate;
  readonly #queue: Set<Attempt> = new Set();
  #timer: Timer | undefined;

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  get failures(): number {
    return this.#state.failures;
  }

  /** Calls `begin` when an attempt may start: at once if it may, never if its ticket is ended before. */
  enter(begin: (ticket: Ticket) => void): Ticket {
    const attempt = new Attempt(begin, (ended, result) => this.#end(ended, result));
    this.#queue.add(attempt);
    this.#pulse();
    return attempt;
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
      const delay = mayStartIn(this.#state, this.#clock.now());
      if (delay === null) return;
      if (delay > 0) {
        // Awaited: a caller waits for the connection.
        this.#timer = this.#clock.setAwaited(() => this.#pulse(), delay);
        return;
      }
      this.#queue.delete(attempt);
      attempt.begun = true;
      this.#state = { ...this.#state, active: this.#state.active + 1 };
      attempt.begin(attempt);
    }
  }
}
