import { type Clock, setImmediate, systemClock, type Timer } from '../../clock.js';
import type { PacketBudget, PacketQuestion, Urgency } from '../packet-budget.js';
import { queryRecords, type RecordFamily, type Records, silence } from './dns-query.js';

/** One that fails beside the other one is asked again after so long, twice that, … up to the latter. */
const FIRST_PAUSE_MILLIS = 1_000;
const LONGEST_PAUSE_MILLIS = 30_000;

export type Outcome =
  | { readonly kind: 'records'; readonly family: RecordFamily; readonly records: Records }
  | { readonly kind: 'failed'; readonly family: RecordFamily; readonly error: unknown };

/** A question for one family's records. */
export interface FamilyQuestion {
  readonly name: string;
  readonly server: string;
  /** How long it has, from the moment in which it is sent; and how long a late answer is still heard. */
  readonly shareMillis: number;
  readonly openMillis: number;
  readonly urgency: Urgency;
  readonly signal: AbortSignal;
  readonly onLate?: ((records: Records) => void) | undefined;
}

/** What is known of one family of a name's addresses. */
export class FamilyRecords {
  readonly family: RecordFamily;
  readonly #budget: PacketBudget;
  readonly #clock: Clock = systemClock;
  /** Questions that wait for their turn, by server. */
  readonly #waiting: Map<string, PacketQuestion<Records>> = new Map();
  #asked = 0;
  /** The number of the latest question that was answered; an earlier one's answer is of the past. */
  #answered = 0;
  #pending = 0;
  #last: Records | undefined;
  #lastMillis = 0;
  #failures = 0;
  #notBefore = 0;

  constructor(family: RecordFamily, budget: PacketBudget) {
    [this.family, this.#budget] = [family, budget];
  }

  /** The last records: what stays true while the family cannot be asked. */
  get last(): Records | undefined {
    return this.#last;
  }

  /** How long the last answer took. */
  get lastMillis(): number {
    return this.#lastMillis;
  }

  get hasAddresses(): boolean {
    return this.#last !== undefined && this.#last.addresses.length > 0;
  }

  /** Nothing is known of it yet, and it is time to ask. */
  get isDue(): boolean {
    return this.#last === undefined && this.#pending === 0 && this.#clock.now() >= this.#notBefore;
  }

  /** Never rejects. */
  async ask(asking: FamilyQuestion): Promise<Outcome> {
    const { server, shareMillis, urgency, signal, onLate } = asking;
    const { family } = this;
    const number = ++this.#asked;
    const question = this.#question(asking);
    const answer = question.wait(urgency, signal).then((records) => this.#note(number, records));
    this.#pending++;
    let isLate = false;
    answer.then(
      (records) => {
        this.#pending--;
        if (isLate) onLate?.(records);
      },
      () => this.#pending--,
    );
    const share = this.#share(question, shareMillis, server);
    try {
      return { kind: 'records', family, records: await Promise.race([answer, share.passed]) };
    } catch (error) {
      isLate = true;
      if (!signal.aborted) this.#noteFailure();
      return { kind: 'failed', family, error };
    } finally {
      share.end();
    }
  }

  /** Whoever asks the same while it waits for its turn shares it: it was not sent before they asked. */
  #question({ name, server, openMillis: timeoutMillis }: FamilyQuestion): PacketQuestion<Records> {
    const waiting = this.#waiting.get(server);
    if (waiting !== undefined && !waiting.wasSent && !waiting.isOver) return waiting;
    const question = this.#budget.ask({ to: server }, async (signal) => {
      if (this.#waiting.get(server) === question) this.#waiting.delete(server);
      const sentAt = this.#clock.now();
      const records = await queryRecords(name, this.family, { server, timeoutMillis, signal });
      this.#lastMillis = this.#clock.now() - sentAt;
      return records;
    });
    this.#waiting.set(server, question);
    return question;
  }

  /** Its time begins when it is sent, not while it waits for its turn. */
  #share(question: PacketQuestion<Records>, millis: number, server: string): Share {
    let timer: Timer | undefined;
    let hasEnded = false;
    const passed = question.sent.then(
      () =>
        new Promise<never>((_resolve, reject) => {
          if (hasEnded) return;
          // An answer that has come to a busy process is read first.
          const pass = (): void => void setImmediate(() => reject(silence(server, millis)));
          timer = this.#clock.set(pass, millis);
        }),
    );
    passed.catch(() => {});
    const end = (): void => {
      hasEnded = true;
      this.#clock.clear(timer);
    };
    return { passed, end };
  }

  #note(number: number, records: Records): Records {
    this.#failures = 0;
    if (number > this.#answered) [this.#answered, this.#last] = [number, records];
    return records;
  }

  #noteFailure(): void {
    const pause = Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS * 2 ** this.#failures);
    this.#failures++;
    this.#notBefore = this.#clock.now() + pause;
  }
}

interface Share {
  readonly passed: Promise<never>;
  end(): void;
}
