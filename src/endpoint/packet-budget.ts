import { type Clock, systemClock, type Timer } from '../clock.js';
import { untilAborted } from './until-aborted.js';

/** Design, endpoint rule 2: what a process may ask of its resolvers. The VPC resolver drops what is over 1024 packets/s per interface. */
const PACKETS_PER_SECOND = 10;
/** A tenth longer than a second, so that no second holds more, wherever they are counted: packets are late by more or less. */
const WINDOW_MILLIS = 1_100;
/** What periodic questions get of each window, however many others there are, unless callers wait for them. */
const PERIODIC_SHARE = 2;
/** A server that leaves a question unanswered for this long is silent. */
const SILENT_AFTER_MILLIS = 100;

/** Why a question is asked, most urgent first. */
export type Urgency =
  /** A caller waits for its answer. */
  | 'awaited'
  /** Something failed, and somebody waits for a connection. */
  | 'pressing'
  /** Something failed; nobody waits yet. */
  | 'suspect'
  /** All is well. */
  | 'periodic';

const URGENCIES: readonly Urgency[] = ['awaited', 'pressing', 'suspect', 'periodic'];

/** So many packets of a window may be sent before a question has to wait: what is urgent always finds some left. */
const LIMITS: Readonly<Record<Urgency, number>> = { awaited: PACKETS_PER_SECOND, pressing: 9, suspect: 8, periodic: 8 };
/** So many periodic ones may go at once; those beyond are spread, so that the next place is never far away. */
const PERIODIC_BURST = 6;
const PERIODIC_PACE_MILLIS = WINDOW_MILLIS / LIMITS.periodic;

export function mostUrgent(a: Urgency, b: Urgency): Urgency {
  return URGENCIES.indexOf(a) < URGENCIES.indexOf(b) ? a : b;
}

/** Does somebody wait, so that the process must stay alive and nothing may be put off? */
export function isWaitedFor(urgency: Urgency): boolean {
  return urgency === 'awaited' || urgency === 'pressing';
}

/** A packet of the present window, or a question that is on its way. */
interface Sent {
  readonly at: number;
  readonly urgency: Urgency;
}

/** Whether the periodic ones have not had their share of the window. */
function isStarved(sent: readonly Sent[]): boolean {
  return sent.filter(({ urgency }) => urgency === 'periodic').length < PERIODIC_SHARE;
}

/** Who goes first, given what was sent within the window. */
export function orderOf(sent: readonly Sent[]): readonly Urgency[] {
  return isStarved(sent) ? ['awaited', 'periodic', 'pressing', 'suspect'] : URGENCIES;
}

/** Milliseconds until so many packets may go, if nothing else does until then; 0: now. */
export function mayGoIn(sent: readonly Sent[], urgency: Urgency, count: number, now: number): number {
  const untilFewer = (limit: number): number => {
    const last = sent[sent.length + count - limit - 1];
    return last === undefined ? 0 : Math.max(0, last.at + WINDOW_MILLIS - now);
  };
  const wait = untilFewer(LIMITS[urgency]);
  if (urgency !== 'periodic' || isStarved(sent)) return wait;
  const spread = (sent.at(-1)?.at ?? -Infinity) + PERIODIC_PACE_MILLIS - now;
  return Math.min(untilFewer(PERIODIC_BURST), Math.max(wait, spread));
}

export interface Packets {
  /** Who is asked: one that is silent holds up only what nobody waits for, is no more urgent, and goes there too. */
  readonly to: string;
  /** How many are sent at once; 0: it goes now. @defaultValue 1 */
  readonly count?: number | undefined;
}

/** What the budget knows of a question. */
interface Waiting {
  readonly to: string;
  readonly count: number;
  readonly urgency: Urgency;
  /** It was taken back. */
  readonly isOver: boolean;
  /** Its turn has come; resolves when it is answered. */
  begin(): Promise<void>;
}

/** A question that waits for its turn, or is on its way. Once nobody waits for its answer any more, it is taken back. */
export class PacketQuestion<T> implements Waiting {
  readonly to: string;
  readonly count: number;
  readonly #send: (signal: AbortSignal) => Promise<T>;
  readonly #changed: () => void;
  readonly #answer: Promise<T>;
  readonly #leaving: AbortController = new AbortController();
  readonly sent: Promise<void>;
  #settle: (answer: Promise<T>) => void = () => {};
  #tellSent: () => void = () => {};
  #urgency: Urgency = 'periodic';
  #askers = 0;
  #sent = false;

  constructor({ to, count = 1 }: Packets, send: (signal: AbortSignal) => Promise<T>, changed: () => void) {
    [this.to, this.count, this.#send, this.#changed] = [to, count, send, changed];
    this.#answer = new Promise((resolve) => (this.#settle = resolve));
    // Whoever waits hears of a failure; there may be nobody left.
    this.#answer.catch(() => {});
    this.sent = new Promise((resolve) => (this.#tellSent = resolve));
  }

  get urgency(): Urgency {
    return this.#urgency;
  }

  get wasSent(): boolean {
    return this.#sent;
  }

  /** Nobody waits for it any more: whoever asks the same asks anew. */
  get isOver(): boolean {
    return this.#leaving.signal.aborted;
  }

  /** The answer, for one more who asks the same; as urgent as it is for the most urgent of them. */
  async wait(urgency: Urgency, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#askers++;
    if (this.#askers === 1) this.#urgency = urgency;
    this.#urgency = mostUrgent(this.#urgency, urgency);
    if (!this.#sent) this.#changed();
    try {
      return await untilAborted(this.#answer, signal);
    } finally {
      if (--this.#askers === 0) this.#takeBack();
    }
  }

  async begin(): Promise<void> {
    this.#sent = true;
    this.#tellSent();
    const answer = this.#send(this.#leaving.signal);
    this.#settle(answer);
    await answer.catch(() => {});
  }

  #takeBack(): void {
    this.#leaving.abort(new Error('nobody waits for the answer'));
    if (!this.#sent) this.#changed();
  }
}

/** At most so many packets in any window. Who waits longest goes first, but never before what is more urgent. */
export class PacketBudget {
  readonly #clock: Clock;
  #sent: readonly Sent[] = [];
  readonly #waiting: Set<Waiting> = new Set();
  /** When each question was sent that is not answered yet, by whom it was put to. */
  readonly #unanswered: Map<string, Set<Sent>> = new Map();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks when its turn has come, which may be at once; `send` gets a signal that aborts when nobody waits any more. */
  ask<T>(packets: Packets, send: (signal: AbortSignal) => Promise<T>): PacketQuestion<T> {
    const question = new PacketQuestion<T>(packets, send, () => this.#note(question));
    return question;
  }

  /** It waits, is more urgent than before, or was taken back. */
  #note(question: Waiting): void {
    if (question.isOver) this.#waiting.delete(question);
    else if (question.count === 0) return void this.#send(question);
    else this.#waiting.add(question);
    this.#pump();
  }

  async #send(question: Waiting): Promise<void> {
    const { to, urgency } = question;
    const mark: Sent = { at: this.#clock.now(), urgency };
    const there = this.#unanswered.get(to) ?? new Set();
    this.#unanswered.set(to, there.add(mark));
    await question.begin();
    there.delete(mark);
    if (there.size === 0) this.#unanswered.delete(to);
    // What waited for it goes in a turn of its own: a process that has nothing else to do ends before.
    this.#arm();
  }

  #pump(): void {
    for (;;) {
      const next = this.#next();
      if (next === undefined) break;
      this.#waiting.delete(next);
      this.#spend(next.urgency, next.count);
      void this.#send(next);
    }
    this.#arm();
  }

  #next(): Waiting | undefined {
    const now = this.#clock.now();
    const sent = this.#recent(now);
    return this.#firsts(sent, now).find(({ urgency, count }) => mayGoIn(sent, urgency, count, now) === 0);
  }

  /** The first of each urgency, in the order in which they go; nobody goes past one that came before. */
  #firsts(sent: readonly Sent[], now: number): Waiting[] {
    const ready = [...this.#waiting].filter((each) => !this.#isHeldUp(each, now));
    return orderOf(sent).flatMap((urgency) => ready.find((each) => each.urgency === urgency) ?? []);
  }

  /**
   * c-ares keeps the process alive while it asks, and a process that nobody waits for must be able to end. What is less
   * urgent, such as a family of which nothing is known, holds up nothing.
   */
  #isHeldUp({ to, urgency }: Waiting, now: number): boolean {
    if (isWaitedFor(urgency)) return false;
    const unanswered = this.#unanswered.get(to) ?? [];
    return [...unanswered].some(
      (sent) => now - sent.at >= SILENT_AFTER_MILLIS && mostUrgent(sent.urgency, urgency) === sent.urgency,
    );
  }

  #recent(now: number = this.#clock.now()): readonly Sent[] {
    this.#sent = this.#sent.filter(({ at }) => at > now - WINDOW_MILLIS);
    return this.#sent;
  }

  #spend(urgency: Urgency, count: number): void {
    const at = this.#clock.now();
    this.#sent = [...this.#sent, ...Array.from({ length: count }, () => ({ at, urgency }))];
  }

  #arm(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    const now = this.#clock.now();
    const sent = this.#recent(now);
    const firsts = this.#firsts(sent, now);
    if (firsts.length === 0) return;
    const delay = Math.min(...firsts.map(({ urgency, count }) => mayGoIn(sent, urgency, count, now)));
    const isAwaited = firsts.some(({ urgency }) => isWaitedFor(urgency));
    const set = isAwaited ? this.#clock.setAwaited : this.#clock.set;
    this.#timer = set.call(this.#clock, () => this.#pump(), delay);
  }
}

/** Shared by every endpoint of the process that asks DNS itself. */
export const processBudget: PacketBudget = new PacketBudget(systemClock);
