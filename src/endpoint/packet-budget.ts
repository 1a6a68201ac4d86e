import { type Clock, systemClock, type Timer } from '../clock.js';

/** Design rule 2: what a process may ask of its resolvers. The VPC resolver drops what is over 1024 packets/s per interface. */
const PACKETS_PER_SECOND = 10;
const WINDOW_MILLIS = 1_000;

/** At most so many packets in any second; who comes too early waits for his turn. */
export class PacketBudget {
  readonly #clock: Clock;
  readonly #sent: number[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #unsent: Map<string, Promise<unknown>> = new Map();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one packet now if so many would be left for others, or says that it did not. */
  tryTake(reserve: number): boolean {
    if (this.#waiting.length > 0 || this.#left() <= reserve) return false;
    this.#note();
    return true;
  }

  /** Resolves when a packet may be sent. */
  async take(): Promise<void> {
    if (this.tryTake(0)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#arm();
    });
  }

  /**
   * Asks when a packet may be sent. Whoever asks the same while the question still waits shares its answer: it was not
   * sent before he asked. So many endpoints on one name cost no more than one.
   */
  ask<T>(key: string, send: () => Promise<T>): Promise<T> {
    const unsent = this.#unsent.get(key) as Promise<T> | undefined;
    if (unsent !== undefined) return unsent;
    const asked = this.take().then(() => {
      this.#unsent.delete(key);
      return send();
    });
    this.#unsent.set(key, asked);
    return asked;
  }

  #left(): number {
    const since = this.#clock.now() - WINDOW_MILLIS;
    return PACKETS_PER_SECOND - this.#sent.filter((at) => at > since).length;
  }

  #delay(): number {
    const oldest = this.#sent.length < PACKETS_PER_SECOND ? undefined : this.#sent[0];
    return oldest === undefined ? 0 : Math.max(0, oldest + WINDOW_MILLIS - this.#clock.now());
  }

  #note(): void {
    this.#sent.push(this.#clock.now());
    if (this.#sent.length > PACKETS_PER_SECOND) this.#sent.shift();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    // Awaited: a caller may be waiting for the answer.
    this.#timer = this.#clock.setAwaited(() => {
      this.#timer = undefined;
      while (this.#waiting.length > 0 && this.#delay() === 0) {
        this.#note();
        this.#waiting.shift()?.();
      }
      this.#arm();
    }, this.#delay());
  }
}

/** Shared by every endpoint of the process that asks DNS itself. */
export const processBudget: PacketBudget = new PacketBudget(systemClock);
