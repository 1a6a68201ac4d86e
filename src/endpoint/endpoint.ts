import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '../clock.js';
import { EipPoolError, messageOf } from '../errors.js';
import { SafeEmitter } from '../events.js';
import type { Address } from './address.js';
import { type Condition, emptyHistory, type History, observe, type Verdict } from './adopt.js';
import type { Answer, Resolver } from './answer.js';
import type { EndpointEvents, EndpointSnapshot } from './endpoint-events.js';
import { PublicAddressError, screen } from './guard.js';
import { answerLookup, type LookupFunction } from './lookup.js';
import { type FollowOptions, readFollowOptions, type ReadFollowOptions, readName } from './options.js';
import { type Received, Sources } from './sources.js';
import { type EndpointState, nextQuestionIn, type StateEvent, type StateKind, transition } from './states.js';

const ROTATING_MOVES = 5;
const ROTATING_WITHIN_MILLIS = 60_000;
/** A watch that is this many intervals late belongs to a process that was suspended (design, rule 9). */
const SUSPENDED_INTERVALS = 3;

/**
 * One name, and the one authority on where it points. This class turns a name into the current answer; the sockets
 * are its subclass's, through the protected hooks.
 */
export abstract class NameEndpoint extends SafeEmitter<EndpointEvents> {
  readonly name: string;
  protected readonly options: ReadFollowOptions;
  /** Fields of its own, since every lease reads them. */
  readonly #clock: Clock;
  readonly #suspendedMillis: number;
  readonly #sources: Sources;
  readonly #closing: AbortController = new AbortController();
  #state: EndpointState;
  #history: History = emptyHistory;
  #current: Answer | null = null;
  #addresses: ReadonlySet<Address> = new Set();
  /** The last answer, if it was held: it named only addresses that may not come back yet. */
  #held: { readonly answer: Answer; readonly resolver: Resolver } | null = null;
  #conditions: Map<Address, Exclude<Condition, 'usable'>> = new Map();
  #generation = 0;
  #timer: Timer | undefined;
  #started = false;
  #opening: Promise<{ readonly error: unknown } | null> | undefined;
  #waking: Promise<void> | undefined;
  #publicView: PublicAddressError | null = null;
  #lastResolveError: unknown = null;
  /** When the watch last looked, on the wall clock, which goes on while the machine sleeps. */
  #tickedAt = 0;
  #moves: readonly number[] = [];
  #toldOfRotation = false;

  constructor(name: string, options?: FollowOptions) {
    super();
    // Each question under way listens, and while packets are short more than ten wait their turn.
    setMaxListeners(0, this.#closing.signal);
    this.name = readName(name);
    this.options = readFollowOptions(options);
    this.#sources = new Sources({
      ...this.options,
      name: this.name,
      signal: this.#closing.signal,
      onAnswer: (received) => this.#receive(received),
      onError: (error, resolver) => {
        this.#lastResolveError = error;
        // The name no longer says so.
        if (this.#held?.resolver === resolver) this.#held = null;
        this.announce('resolveError', this.name, () => ({ error, source: resolver.name }));
      },
      onAside: (error, resolver) =>
        this.warn({
          code: 'SOURCE_ASIDE',
          message: `${this.name}: ${resolver.name} is not asked any more: ${messageOf(error)}`,
          error,
        }),
    });
    this.#state = { kind: 'resolving', since: this.options.clock.now() };
    this.#clock = this.options.clock;
    this.#suspendedMillis = SUSPENDED_INTERVALS * this.options.intervalMillis;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** The answer that holds; null until the first one. */
  get current(): Answer | null {
    return this.#current;
  }

  /** How many times the name has moved. */
  get generation(): number {
    return this.#generation;
  }

  get state(): StateKind {
    return this.#state.kind;
  }

  /** Is this one of the addresses that the name has now? */
  has(address: Address): boolean {
    return this.#addresses.has(address);
  }

  /** Begins to follow; the first question is asked at once. Does nothing the second time. */
  start(): void {
    if (this.#started || this.#state.kind === 'closed') return;
    this.#started = true;
    this.#noteTime();
    void this.#open();
    this.#schedule();
  }

  /**
   * Resolves when there is an answer.
   * @throws what the resolvers threw, if all of them failed; `PUBLIC_ADDRESS`; `ENDPOINT_CLOSED`
   */
  async ready(): Promise<Answer> {
    this.start();
    for (;;) {
      if (this.#state.kind === 'closed') throw this.#closedError();
      if (this.#current !== null) return this.#current;
      if (this.#publicView !== null) throw this.#publicView;
      const failed = await this.#open();
      if (failed !== null && this.#current === null) throw this.#publicView ?? failed.error;
    }
  }

  /** One round for all who wait for the first answer; what it failed with, or null. */
  #open(): Promise<{ readonly error: unknown } | null> {
    this.#opening ??= this.#askAll({ forced: false, awaited: true })
      .then(
        () => null,
        (error: unknown) => ({ error }),
      )
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  /**
   * The manual kick: asks every source now and takes what it says, quarantine or not.
   * @throws what the sources threw, if none of them answered; `PUBLIC_ADDRESS`; `ENDPOINT_CLOSED`
   */
  async refresh(): Promise<Answer> {
    this.start();
    await this.#askAll({ forced: true, awaited: true });
    if (this.#publicView !== null) throw this.#publicView;
    return this.#current ?? (await this.ready());
  }

  /** Shaped as `dns.lookup`, for `net.connect`, agents and drivers. Other names go to `dns.lookup`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => answerLookup(this, hostname, options, callback);

  /** Why no new connection may be made now; null if one may. */
  get refusal(): EipPoolError | null {
    if (this.#state.kind === 'closed') return this.#closedError();
    if (this.#publicView !== null) return this.#publicView;
    const age = this.#current === null ? 0 : this.options.clock.now() - this.#current.at;
    if (age <= this.options.maxAnswerAgeMillis) return null;
    return new EipPoolError(
      'ANSWER_TOO_OLD',
      `${this.name}: the last good answer is ${Math.round(age)} ms old, more than follow.maxAnswerAgeMillis ` +
        `(${this.options.maxAnswerAgeMillis}); last error of a resolver: ${messageOf(this.#lastResolveError)}`,
      { cause: this.#lastResolveError },
    );
  }

  /** True after the process was suspended: the answer may be of another time. Cheap, for every lease. */
  get slept(): boolean {
    if (!this.#started) return false;
    return Math.abs(this.#clock.wallNow() - this.#tickedAt) > this.#suspendedMillis;
  }

  /** Asks once after a suspension; resolves with an answer or without one, within `lookupTimeoutMillis`. */
  async wake(): Promise<void> {
    this.#waking ??= this.#askAll({ forced: false, awaited: true })
      .catch(() => {})
      .finally(() => {
        this.#noteTime();
        this.#waking = undefined;
      })
      .then(() => {});
    await this.#waking;
  }

  /** What is known of the server at a current address, from whoever tried to connect to it. */
  report(address: Address, condition: Condition, cause?: unknown): void {
    if (!this.has(address) || this.#state.kind === 'closed') return;
    if (condition === 'usable') {
      this.#conditions.delete(address);
      this.#step({ kind: 'worked' }, address);
      return;
    }
    this.#conditions.set(address, condition);
    const best = this.#condition();
    this.#step({ kind: 'failed', cause, everywhere: best !== 'usable' && best !== 'read-only' }, address);
    // A name that wants to go back may now be allowed to.
    if (this.#held !== null) this.#observe(this.#held.answer, false, this.#held.resolver);
  }

  /** A server at a current address said something: it lives, whatever else is known of it. */
  noteLife(address: Address): void {
    if (this.#conditions.get(address) !== 'read-only') this.#conditions.delete(address);
    this.#step({ kind: 'worked' }, address);
  }

  /** A connection to a current address ended unasked: no proof of anything, but a reason to ask the name. */
  suspect(address: Address, cause: unknown): void {
    if (this.has(address)) this.#step({ kind: 'failed', cause, everywhere: false }, address);
  }

  /** Tells of something that an operator should read once. */
  warn(warning: EndpointEvents['warning'][0]): void {
    this.announce('warning', this.name, () => warning);
  }

  /** For adapters: a statement is run again. */
  noteReplay(make: () => EndpointEvents['replay'][0]): void {
    this.announce('replay', this.name, make);
  }

  snapshot(): EndpointSnapshot {
    const now = this.options.clock.now();
    return {
      name: this.name,
      state: this.#state.kind,
      generation: this.#generation,
      addresses: this.#current?.addresses ?? [],
      chain: this.#current?.chain ?? [],
      ttlSeconds: this.#current?.ttlSeconds ?? null,
      source: this.#current?.source ?? null,
      answerAgeMillis: this.#current === null ? null : now - this.#current.at,
      quarantined: [...this.#history.quarantine.keys()],
      refusal: this.refusal,
      lastResolveError: this.#lastResolveError,
    };
  }

  /** Stops following. Sockets that the endpoint made are destroyed: nobody would notice if they became stale. */
  close(): void {
    if (this.#state.kind === 'closed') return;
    this.#state = transition(this.#state, { kind: 'closed' }, this.options.clock.now());
    this.options.clock.clear(this.#timer);
    this.#closing.abort(this.#closedError());
    this.onClosed();
  }

  /** The answer changed: every socket must agree with it before this returns. */
  protected abstract onChanged(dropped: readonly Address[]): void;
  /** Whether and where may be dialled has changed. */
  protected abstract onDialable(): void;
  /** The name wants to go back to a quarantined address: is the server at the present one alive? */
  protected abstract onContested(): void;
  /** Before each question while suspect: a moment to look for signs of life. */
  protected abstract onSuspectTick(): void;
  protected abstract onClosed(): void;
  /** Does anybody wait for a connection? */
  protected abstract isAwaited(): boolean;

  protected closedError(): EipPoolError {
    return this.#closedError();
  }

  #closedError(): EipPoolError {
    return new EipPoolError('ENDPOINT_CLOSED', `the endpoint ${this.name} was closed`);
  }

  #schedule(): void {
    const { clock } = this.options;
    clock.clear(this.#timer);
    const now = clock.now();
    this.#timer = clock.set(() => this.#tick(), nextQuestionIn(this.#state, now, this.options, clock.random()));
  }

  #tick(): void {
    const late = this.slept;
    if (!late) this.#noteTime();
    if (this.#state.kind === 'suspect' || this.#state.kind === 'down') this.onSuspectTick();
    this.#schedule();
    this.#askAll({ forced: false, awaited: false }).then(
      () => late && this.#noteTime(),
      () => {},
    );
  }

  #noteTime(): void {
    this.#tickedAt = this.options.clock.wallNow();
  }

  #askAll(how: { readonly forced: boolean; readonly awaited: boolean }): Promise<void> {
    const troubled = this.#state.kind !== 'steady' || this.#held !== null;
    return this.#sources.ask({ ...how, troubled, pressing: this.isAwaited() });
  }

  async #receive({ answer, forced, resolver, chain, isLatest }: Received): Promise<void> {
    const { allowed, refused } = screen(answer.addresses, this.options.guard);
    if (allowed.length === 0) {
      const known = answer.chain.length > 0 || this.#publicView !== null;
      const names = known ? answer.chain : await chain();
      // The chain took its time: a later answer may know better by now.
      if (isLatest()) this.#refuse(new PublicAddressError(this.name, refused, names));
      return;
    }
    const wasRefused = this.refusal !== null;
    this.#publicView = null;
    this.#observe({ ...answer, addresses: allowed }, forced, resolver);
    if (wasRefused && this.refusal === null) this.onDialable();
  }

  #refuse(error: PublicAddressError): void {
    if (this.#publicView !== null || this.#state.kind === 'closed') return;
    this.#publicView = error;
    if (this.#current !== null) this.warn({ code: 'PUBLIC_ADDRESS', message: error.message, error });
    this.onDialable();
  }

  #observe(answer: Answer, forced: boolean, resolver: Resolver): void {
    const { addresses } = answer;
    const seen = { source: resolver, addresses, now: answer.at, condition: this.#condition(), forced };
    const [history, verdict] = observe(this.#history, seen, this.options);
    const from = this.#history.current;
    this.#history = history;
    this.#held = verdict.kind === 'held' ? { answer, resolver } : null;
    if (verdict.kind !== 'held') this.#current = Object.freeze({ ...answer, addresses: history.current });
    this.announce('answer', this.name, () => ({ answer, verdict: verdict.kind }));
    if (verdict.kind === 'held') this.onContested();
    if (verdict.kind === 'adopted') this.#adopt(answer, from, verdict);
  }

  #adopt(answer: Answer, from: readonly Address[], verdict: Verdict & { readonly kind: 'adopted' }): void {
    this.#addresses = new Set(this.#history.current);
    for (const address of verdict.dropped) this.#conditions.delete(address);
    const moved = verdict.dropped.length > 0;
    if (moved) this.#generation++;
    this.#step({ kind: moved ? 'moved' : 'answered' });
    this.onChanged(verdict.dropped);
    this.onDialable();
    if (!moved) return;
    const generation = this.#generation;
    const to = this.#history.current;
    this.announce('move', this.name, () => ({ from, to, generation, source: answer.source, answer }));
    this.#watchForRotation();
  }

  #watchForRotation(): void {
    const now = this.options.clock.now();
    this.#moves = [...this.#moves, now].filter((at) => now - at <= ROTATING_WITHIN_MILLIS);
    if (this.#moves.length < ROTATING_MOVES || this.options.mode === 'set' || this.#toldOfRotation) return;
    this.#toldOfRotation = true;
    this.warn({
      code: 'ROTATING',
      message:
        `${this.name} changed its address ${this.#moves.length} times within a minute. If it rotates through several ` +
        `servers by design, set follow.mode: 'set'.`,
    });
  }

  /** The best of the present addresses. */
  #condition(): Condition {
    const order: readonly Condition[] = ['usable', 'read-only', 'starting', 'refusing', 'dead'];
    const present = this.#history.current.map((address) => this.#conditions.get(address) ?? 'usable');
    return order.find((condition) => present.includes(condition)) ?? 'usable';
  }

  #step(event: StateEvent, address: Address = ''): void {
    const before = this.#state;
    const now = this.options.clock.now();
    const after = transition(before, event, now);
    this.#state = after;
    if (before.kind === after.kind) return;
    if (after.kind === 'suspect' && event.kind === 'failed') {
      this.announce('suspect', this.name, () => ({ cause: after.cause, address }));
    }
    if (after.kind === 'down') {
      this.announce('down', this.name, () => ({ cause: after.cause, addresses: this.#history.current }));
    }
    if (after.kind === 'steady' && (before.kind === 'suspect' || before.kind === 'down')) {
      this.announce('recovered', this.name, () => ({ address, afterMillis: now - before.failedAt }));
    }
    // Only the step out of calm is a reason to ask at once; from then on the schedule is often enough.
    if (before.kind === 'steady') this.#tick();
  }
}
