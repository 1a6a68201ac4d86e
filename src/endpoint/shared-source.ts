import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { type Answer, readResolution, type Resolution, type Resolver, type ResolveHelp } from './answer.js';
import { canonicalSpelling } from './name.js';
import { isWaitedFor, mostUrgent, type Urgency } from './packet-budget.js';
import { askChain, askOnce, FIRST_ANSWER_TIMES } from './question.js';

/** Endpoints that lose their connections together ask one question. */
const SAME_MOMENT_MILLIS = 25;
/** So many newcomers within an interval that were told the same are an application that connects for each request. */
const MANY_COMINGS = 4;

/** A time on both clocks: the monotonic one stands still while a machine sleeps. */
export interface Moment {
  readonly at: number;
  readonly atWall: number;
}

/** A listener was told its first answer. */
interface Coming extends Moment {
  /** The addresses, in order. */
  readonly said: string;
}

/** An answer that no later one of its source has overtaken. */
export interface Received {
  readonly answer: Answer;
  /** It was asked for by hand: what it says is taken, quarantine or not. */
  readonly forced: boolean;
  /** A part of it, while the rest is awaited: better than no answer, but than no other. */
  readonly isPart: boolean;
  readonly askedAt: Moment;
  /** The listener had asked for it. */
  readonly isOwn: boolean;
  /** The endpoint's own, though another one's may have been asked. */
  readonly resolver: Resolver;
  /** Asks for the CNAME chain alone. Never rejects. */
  chain(): Promise<readonly string[]>;
  /** Still not overtaken? */
  isLatest(): boolean;
}

/** An endpoint that follows the name by this source. It is held weakly: who holds an endpoint is the application's to say. */
export interface Listener {
  onAnswer(received: Omit<Received, 'resolver'>): Promise<void>;
  onError(error: unknown): void;
  /** Would this, if it were the answer, change nothing because it repeats what was left? */
  doubts(resolution: Resolution, forced: boolean): boolean;
  /** The CNAME chain, as other sources of the endpoint know it. */
  chain(signal: AbortSignal): Promise<readonly string[]>;
}

/** How it is asked. */
export interface How {
  /** By hand: neither an answer nor a question of before will do. */
  readonly forced: boolean;
  readonly urgency: Urgency;
  /** An answer that is no older will do, and a question under way that is no older. */
  readonly withinMillis: number;
  /** The process slept: an answer that has just come may be to a question of before, which is as old as that. */
  readonly woken: boolean;
  /** The endpoint has no answer yet. It asks anew, unless many come that are all told the same. */
  readonly isFirst: boolean;
}

interface Question {
  readonly number: number;
  readonly urgency: Urgency;
  readonly askedAt: Moment;
  /** Who asked it, and who of them by hand. */
  readonly askers: Map<Listener, { readonly forced: boolean }>;
  ended: Promise<void>;
}

interface Told {
  readonly question: Question;
  readonly answer: Answer;
  readonly answeredAt: Moment;
}

export interface SharedSourceOptions {
  readonly resolver: Resolver;
  readonly name: string;
  readonly clock: Clock;
  readonly lookupTimeoutMillis: number;
}

/**
 * One source of one name: the questions that are under way, and the last answer. All endpoints of a process that follow the
 * name by the same source are told each answer, whoever asked.
 */
export class SharedSource {
  readonly #options: SharedSourceOptions;
  readonly #listeners: Set<WeakRef<Listener>> = new Set();
  readonly #tellings: WeakMap<Listener, { readonly number: number; readonly told: Promise<void> }> = new WeakMap();
  #following: AbortController = controller();
  #questions = 0;
  /** The number of the latest question that it answered; an older question's answer comes too late. */
  #answered = 0;
  #pending: readonly Question[] = [];
  /** Asked once the question under way has ended, by these. */
  #next: { readonly askers: Question['askers']; readonly ended: Promise<void> } | null = null;
  #last: Told | null = null;
  /** The last few listeners that came. */
  #comings: readonly Coming[] = [];
  /** What everybody was told of last, if that was no answer. */
  #failure: { readonly error: unknown; readonly at: Moment } | null = null;

  constructor(options: SharedSourceOptions) {
    this.#options = options;
  }

  get resolver(): Resolver {
    return this.#options.resolver;
  }

  /** Is it being asked, at least as urgently? */
  isAsked(urgency: Urgency = 'periodic'): boolean {
    return this.#pending.some((question) => mostUrgent(question.urgency, urgency) === question.urgency);
  }

  /**
   * Nobody follows the name, and nobody has come of late: until then whoever comes shares it, and what it knows, such as
   * that a family is empty.
   */
  isForgotten(withinMillis: number): boolean {
    return !this.isAsked() && this.#alive().length === 0 && this.#recentComings(withinMillis).length === 0;
  }

  /** From now on the listener is told each answer. */
  follow(listener: Listener): void {
    if (this.#alive().includes(listener)) return;
    this.#listeners.add(new WeakRef(listener));
  }

  /** When the last one has left, what is under way is taken back. */
  leave(listener: Listener, reason: unknown): void {
    for (const ref of this.#listeners) if (ref.deref() === listener) this.#listeners.delete(ref);
    if (this.#alive().length > 0) return;
    // Whoever comes next asks anew.
    this.#pending = [];
    this.#next = null;
    this.#following.abort(reason ?? new Error('nobody follows the name any more'));
    this.#following = controller();
  }

  /** Resolves when the listener has been told an answer; rejects with what the question failed with. */
  async ask(listener: Listener, how: How): Promise<void> {
    const last = this.#last;
    const isEnough = !how.forced && (!how.isFirst || this.#isBusy(how.withinMillis));
    if (last !== null && isEnough && this.#isRecent(how.woken ? last.question.askedAt : last.answeredAt, how)) {
      return await this.#tell(listener, last);
    }
    // A failure of a moment ago is news enough for the schedule, but not for who waits.
    const failure = isWaitedFor(how.urgency) || how.forced ? null : this.#failure;
    if (failure !== null && this.#isRecent(failure.at, how)) throw failure.error;
    await this.#join(listener, how);
  }

  /** The CNAME chain alone. Never rejects. */
  chain(signal: AbortSignal): Promise<readonly string[]> {
    const { resolver, name, clock, lookupTimeoutMillis } = this.#options;
    return askChain(resolver, name, { clock, timeoutMillis: lookupTimeoutMillis, awaited: false, signal });
  }

  #join(listener: Listener, how: How): Promise<void> {
    const latest = this.#pending.at(-1);
    const mayOverlap = this.resolver.overlapping === true;
    if (latest === undefined || (how.forced && mayOverlap)) return this.#ask(new Map([[listener, how]]), how);
    // What is under way was asked before a suspension; or it was, and not by hand, so that quarantine holds for its answer.
    const isOld = how.woken && !this.#isRecent(latest.askedAt, how);
    if (isOld && mayOverlap) return this.#ask(new Map([[listener, how]]), how);
    if (how.forced || isOld) return this.#askNext(latest, listener, how);
    if (mayOverlap && !this.#isEnough(latest, listener, how)) return this.#ask(new Map([[listener, how]]), how);
    if (!latest.askers.has(listener)) latest.askers.set(listener, how);
    return latest.ended;
  }

  /** What another endpoint asked a moment ago, and at least as urgently. Who asked it knows why it asks again. */
  #isEnough({ askers, askedAt, urgency }: Question, listener: Listener, how: How): boolean {
    const withinMillis = Math.max(how.withinMillis, SAME_MOMENT_MILLIS);
    if (askers.has(listener) || !this.#isRecent(askedAt, { withinMillis })) return false;
    return mostUrgent(urgency, how.urgency) === urgency;
  }

  #askNext(latest: Question, listener: Listener, how: How): Promise<void> {
    if (this.#next === null) {
      const askers: Question['askers'] = new Map();
      const { signal } = this.#following;
      const ask = async (): Promise<void> => {
        signal.throwIfAborted();
        this.#next = null;
        await this.#ask(askers, how);
      };
      this.#next = { askers, ended: latest.ended.then(ask, ask) };
    }
    this.#next.askers.set(listener, how);
    return this.#next.ended;
  }

  #ask(askers: Question['askers'], how: How): Promise<void> {
    const question: Question = {
      number: ++this.#questions,
      urgency: how.urgency,
      askedAt: this.#now(),
      askers,
      ended: Promise.resolve(),
    };
    this.#pending = [...this.#pending, question];
    question.ended = this.#run(question, how).finally(() => {
      this.#pending = this.#pending.filter((each) => each !== question);
      // Nobody is held by what is over.
      askers.clear();
    });
    return question.ended;
  }

  async #run(question: Question, { urgency, isFirst }: How): Promise<void> {
    const { resolver, name, clock, lookupTimeoutMillis } = this.#options;
    const timeoutMillis = isFirst ? FIRST_ANSWER_TIMES * lookupTimeoutMillis : lookupTimeoutMillis;
    const { signal } = this.#following;
    const bounds = { clock, timeoutMillis, awaited: urgency === 'awaited', signal };
    try {
      const answer = await askOnce(resolver, name, bounds, (asking) => this.#help(question, isFirst, asking, signal));
      if (question.number < this.#answered || signal.aborted) return;
      this.#answered = question.number;
      this.#last = { question, answer, answeredAt: this.#now() };
      this.#failure = null;
      for (const listener of this.#alive()) void this.#tell(listener, this.#last);
      // It is over when those who asked have made of it what they can.
      const tellings = [...question.askers.keys()].map(async (asker) => await this.#tellings.get(asker)?.told);
      await Promise.allSettled(tellings);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failure = { error, at: this.#now() };
      for (const listener of this.#alive()) listener.onError(error);
      throw error;
    }
  }

  #help(question: Question, isFirst: boolean, asking: AbortSignal, following: AbortSignal): ResolveHelp {
    const [asker] = question.askers.keys();
    return {
      urgency: question.urgency,
      isFirst,
      following,
      chain: async () => (await asker?.chain(asking)) ?? [],
      doubts: (resolution) =>
        this.#alive().some((each) => each.doubts(resolution, question.askers.get(each)?.forced ?? false)),
      early: (resolution) => this.#tellPart(question, resolution),
    };
  }

  /** Once for each answer, whoever asked for it. */
  #tell(listener: Listener, { question, answer }: Told): Promise<void> {
    const before = this.#tellings.get(listener);
    if (before !== undefined && before.number >= question.number) return before.told;
    const coming: Coming = { ...this.#now(), said: answer.addresses.toSorted().join() };
    if (before === undefined) this.#comings = [...this.#comings, coming].slice(-MANY_COMINGS);
    const told = listener.onAnswer(this.#received(listener, question, answer, false));
    // Whoever asked is told of a failure; the others did not.
    told.catch(() => {});
    this.#tellings.set(listener, { number: question.number, told });
    return told;
  }

  #tellPart(question: Question, resolution: Resolution): void {
    const { name, resolver } = this.#options;
    if (this.#last !== null || this.#following.signal.aborted) return;
    try {
      const answer = readResolution(resolution, name, resolver.name, this.#options.clock.now());
      for (const listener of this.#alive())
        listener.onAnswer(this.#received(listener, question, answer, true)).catch(() => {});
    } catch {
      // It is no answer; the whole may be one.
    }
  }

  #received(listener: Listener, question: Question, answer: Answer, isPart: boolean): Omit<Received, 'resolver'> {
    const asker = question.askers.get(listener);
    const { signal } = this.#following;
    return {
      answer,
      isPart,
      forced: asker?.forced ?? false,
      isOwn: asker !== undefined,
      askedAt: question.askedAt,
      chain: () => this.chain(signal),
      isLatest: () => question.number >= this.#answered,
    };
  }

  /** Whether many come, and were all told the same: an application that connects for each request. */
  #isBusy(withinMillis: number): boolean {
    const recent = this.#recentComings(withinMillis);
    return recent.length >= MANY_COMINGS && new Set(recent.map(({ said }) => said)).size === 1;
  }

  #recentComings(withinMillis: number): readonly Coming[] {
    return this.#comings.filter((coming) => this.#isRecent(coming, { withinMillis }));
  }

  #now(): Moment {
    return { at: this.#options.clock.now(), atWall: this.#options.clock.wallNow() };
  }

  #isRecent({ at, atWall }: Moment, { withinMillis }: Pick<How, 'withinMillis'>): boolean {
    const now = this.#now();
    return Math.max(now.at - at, now.atWall - atWall) < withinMillis;
  }

  #alive(): Listener[] {
    const alive: Listener[] = [];
    for (const ref of this.#listeners) {
      const listener = ref.deref();
      if (listener === undefined) this.#listeners.delete(ref);
      else alive.push(listener);
    }
    return alive;
  }
}

function controller(): AbortController {
  const made = new AbortController();
  // Each question under way listens.
  setMaxListeners(0, made.signal);
  return made;
}

const sources: WeakMap<Clock, Map<string, SharedSource>> = new WeakMap();

/**
 * The one that the endpoints of this process share: those whose resolvers say that they are the same.
 * @param withinMillis for how long it is kept when nobody follows the name any more
 */
export function sharedSource(options: SharedSourceOptions, withinMillis: number): SharedSource {
  const { resolver, name, clock, lookupTimeoutMillis } = options;
  if (resolver.sharedAs === undefined) return new SharedSource(options);
  const known = sources.get(clock) ?? new Map<string, SharedSource>();
  sources.set(clock, known);
  const key = [resolver.sharedAs, lookupTimeoutMillis, canonicalSpelling(name)].join(' ');
  const found = known.get(key);
  if (found?.isForgotten(withinMillis) === false) return found;
  for (const [each, source] of known) if (source.isForgotten(withinMillis)) known.delete(each);
  const made = new SharedSource(options);
  known.set(key, made);
  return made;
}
