import { type Clock, systemClock, type Timer } from '../clock.js';

/** Design rule 2: what a process may ask of its resolvers. The VPC resolver drops what is over 1024 packets/s per interface. */
const PACKETS_PER_SECOND = 10;
const WINDOW_MILLIS = 1_000;

/** At most so many packets in any second; who comes too early waits for his turn. */
export class PacketBudget {
  readonly #clock: Clock;
  readonly #sent: number[] = [];
  readonly #waiting: (() => void)[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one packet now, or says that there is none. */
  tryTake(): boolean {
    if (this.#waiting.length > 0 || this.#delay() > 0) return false;
    this.#note();
    return true;
  }

  /** Resolves when a packet may be sent; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryTake()) return;
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(go);
      this.#arm();
    });
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
    // Awaited: whoever waits here is bounded by the deadline of his question.
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
