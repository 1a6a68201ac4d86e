import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { type EipPoolError, type EndReason, errorFor, messageOf } from '../errors.js';
import { SafeEmitter } from '../events.js';
import type { Answer, Resolution, Resolver } from './answer.js';
import type { EndpointEvents } from './endpoint-events.js';
import { readName } from './name.js';
import { type FollowOptions, readFollowOptions, type ReadFollowOptions } from './options.js';
import { Schedule } from './schedule.js';
import type { Received } from './shared-source.js';
import { Sources } from './sources.js';

/** Somebody listens to them, so they must not be lost, though the application holds nothing but its listener. */
const listenedTo: Set<FollowedName> = new Set();

/** Why the name is asked. */
interface Why {
  readonly forced?: boolean;
  readonly awaited?: boolean;
  /** The process slept: what was asked before says nothing. */
  readonly woken?: boolean;
  /** An answer that is no older will do. */
  readonly withinMillis: number;
}

/**
 * A name that is asked: when, and who waits for the answer. What an answer means is its subclass's to say.
 *
 * It is asked for as long as it makes a difference to somebody: the application follows it or listens to it, or there are
 * sockets. Otherwise it rests, and whoever needs it next asks first. Nothing here holds an endpoint that nobody else does.
 */
export abstract class FollowedName extends SafeEmitter<EndpointEvents> {
  readonly name: string;
  protected readonly options: ReadFollowOptions;
  /** Fields of its own, since every lease reads them. */
  readonly #clock: Clock;
  readonly #schedule: Schedule<FollowedName>;
  readonly #sources: Sources;
  readonly #closing: AbortController = new AbortController();
  #isStarted = false;
  /** The application asked for it itself. */
  #isFollowed = false;
  #tellFirst: () => void = () => {};
  readonly #firstAnswer: Promise<null> = new Promise((resolve) => (this.#tellFirst = () => resolve(null)));
  /** Only a part of the first answer is known; the rest is awaited. */
  #isPart = false;
  readonly #needs: Set<() => boolean> = new Set();
  #opening: Promise<{ readonly error: unknown } | null> | undefined;
  #waking: Promise<void> | undefined;

  constructor(name: string, options?: FollowOptions) {
    super();
    // Each question under way listens, and while packets are short more than ten wait their turn.
    setMaxListeners(0, this.#closing.signal);
    this.name = readName(name);
    this.options = readFollowOptions(options);
    this.#clock = this.options.clock;
    this.#sources = new Sources({
      ...this.options,
      name: this.name,
      signal: this.#closing.signal,
      onAnswer: (received) => this.#receive(received),
      doubts: (resolution, resolver, forced) => this.doubts(resolution, resolver, forced),
      onError: (error, resolver) => this.onResolveError(error, resolver),
      onAside: (error, resolver) => this.#warnOfAside(error, resolver),
    });
    const { intervalMillis } = this.options;
    this.#schedule = new Schedule<FollowedName>(this, this.#clock, intervalMillis, (own) => own.#tick());
    for (const event of ['newListener', 'removeListener']) super.on(event as never, () => this.#onListeners());
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** The answer that holds; null until the first one. */
  abstract get current(): Answer | null;

  /** Begins to follow; the first question is asked at once. Does nothing the second time. */
  start(): void {
    this.#isFollowed = true;
    this.attend();
  }

  /** For sockets: the answer is needed from now on, for as long as there are any. */
  attend(): void {
    if (this.isClosed || this.#schedule.isRunning) return;
    if (!this.slept) this.#schedule.watched();
    this.#setTimer();
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#onListeners();
    void this.#open();
  }

  /**
   * Resolves when there is an answer.
   * @throws what the resolvers threw, if all of them failed; `PUBLIC_ADDRESS`; `ENDPOINT_CLOSED`
   */
  async ready(): Promise<Answer> {
    this.start();
    const answer = await this.known();
    if (this.#isPart) await this.#opening;
    return this.current ?? answer;
  }

  /** For adapters: as {@link ready}, but with the first address that is known, while others are still asked for. */
  async known(): Promise<Answer> {
    this.attend();
    if (this.slept) await this.wake();
    for (;;) {
      if (this.isClosed) throw this.closedError();
      if (this.current !== null) return this.current;
      if (this.unusable !== null) throw this.unusable;
      const failed = await Promise.race([this.#open(), this.#firstAnswer]);
      if (failed !== null && this.current === null) throw this.unusable ?? failed.error;
    }
  }

  /**
   * The manual kick: asks every source now and takes what it says, quarantine or not.
   * @throws what the sources threw, if none of them answered; `PUBLIC_ADDRESS`; `ENDPOINT_CLOSED`
   */
  async refresh(): Promise<Answer> {
    this.start();
    await this.#askAll({ awaited: true, forced: true, withinMillis: 0 });
    if (this.unusable !== null) throw this.unusable;
    return this.current ?? (await this.ready());
  }

  /** True after the process was suspended, or nobody needed the answer: it may be of another time. Cheap, for every lease. */
  get slept(): boolean {
    return this.#schedule.slept;
  }

  /** Asks after that; resolves with an answer, or without one after `lookupTimeoutMillis`. */
  async wake(): Promise<void> {
    this.#waking ??= this.#wake().finally(() => (this.#waking = undefined));
    await this.#waking;
  }

  /** What fails at once, as without a file descriptor to ask with, may work before the time is over. */
  async #wake(): Promise<void> {
    const { intervalMillis, lookupTimeoutMillis, suspectIntervalMillis } = this.options;
    const { signal } = this.#closing;
    const endsAt = this.#clock.now() + lookupTimeoutMillis;
    for (let left = lookupTimeoutMillis; left > 0 && !signal.aborted; left = endsAt - this.#clock.now()) {
      const asked = this.#askAll({ awaited: true, woken: true, withinMillis: intervalMillis });
      if (await within(this.#clock, left, asked)) break;
      await pause(this.#clock, Math.min(suspectIntervalMillis, endsAt - this.#clock.now()), signal);
    }
    this.#schedule.watched();
  }

  /**
   * For adapters: the name is asked for as long as this says so, sockets or not. Returns the way to take it back.
   */
  neededWhile(isNeeded: () => boolean): () => void {
    this.#needs.add(isNeeded);
    return () => this.#needs.delete(isNeeded);
  }

  /** Tells of something that an operator should read once. */
  warn(warning: EndpointEvents['warning'][0]): void {
    this.announce('warning', this.name, () => warning);
  }

  protected abstract get isClosed(): boolean;
  /** Why no answer can be used, though there is one. */
  protected abstract get unusable(): EipPoolError | null;
  /** Milliseconds to the next question; `random` is in [0, 1). */
  protected abstract pauseMillis(random: number): number;
  /** Something failed, or sources disagree. */
  protected abstract get isTroubled(): boolean;
  protected abstract onAnswer(received: Received): Promise<void>;
  protected abstract onResolveError(error: unknown, resolver: Resolver): void;
  /** Would this, if it were the answer, change nothing because it repeats what was left? */
  protected abstract doubts(resolution: Resolution, resolver: Resolver, forced: boolean): boolean;
  /** Before each question. */
  protected abstract onTick(): void;
  /** Does anybody wait for a connection? */
  protected abstract isAwaited(): boolean;
  /** Is there any connection, or attempt at one? */
  protected abstract hasSockets(): boolean;

  protected get closedReason(): EndReason {
    return { code: 'ENDPOINT_CLOSED', message: `the endpoint ${this.name} was closed` };
  }

  protected closedError(): EipPoolError {
    return errorFor(this.closedReason);
  }

  /** Something has just failed: what was said before is no news of it. */
  protected askNow(): void {
    this.#tick(0);
  }

  protected stopAsking(): void {
    this.#schedule.stop();
    listenedTo.delete(this);
    this.#closing.abort(this.closedError());
  }

  /** One round for all who wait for the first answer; what it failed with, or null. */
  #open(): Promise<{ readonly error: unknown } | null> {
    this.#opening ??= this.#askAll({ awaited: true, withinMillis: this.options.intervalMillis })
      .then(
        () => null,
        (error: unknown) => ({ error }),
      )
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #setTimer(passedMillis: number = 0): void {
    this.#schedule.next(Math.max(0, this.pauseMillis(this.#clock.random()) - passedMillis));
  }

  #tick(withinMillis: number = this.options.suspectIntervalMillis / 2): void {
    if (this.#mayRest()) return this.#rest();
    this.onTick();
    this.#setTimer();
    if (this.slept) return void this.wake();
    this.#schedule.watched();
    this.#askAll({ withinMillis }).catch(() => {});
  }

  /** Whether all is well, and there is nobody to whom it would make a difference if the name moved now. */
  #mayRest(): boolean {
    if (this.#isFollowed || listenedTo.has(this) || this.hasSockets()) return false;
    if (this.#opening !== undefined || this.#waking !== undefined) return false;
    if ([...this.#needs].some((isNeeded) => isNeeded())) return false;
    return this.pauseMillis(0.5) >= this.options.intervalMillis;
  }

  #rest(): void {
    this.#schedule.rest();
    this.#sources.leave();
  }

  #onListeners(): void {
    // The listener that is being added or removed counts only after this.
    queueMicrotask(() => {
      const isHeard = this.eventNames().some((name) => name !== 'newListener' && name !== 'removeListener');
      if (!isHeard || !this.#isStarted || this.isClosed) return void listenedTo.delete(this);
      listenedTo.add(this);
      this.attend();
    });
  }

  async #askAll({ forced = false, awaited = false, woken = false, withinMillis }: Why): Promise<void> {
    const [troubled, pressing, isFirst] = [this.isTroubled, this.isAwaited(), this.current === null];
    await this.#sources.ask({ forced, awaited, troubled, pressing, withinMillis, woken, isFirst });
  }

  async #receive(received: Received): Promise<void> {
    const { isPart, isOwn, askedAt } = received;
    // A part is better than nothing, but no more.
    if (isPart && this.current !== null) return;
    await this.onAnswer(received);
    if (!isOwn && this.#schedule.isRunning) {
      // Another endpoint has asked: the next question is a whole pause away.
      if (!this.slept) this.#schedule.watched();
      this.#setTimer(this.#clock.now() - askedAt.at);
    }
    if (this.current === null) return;
    this.#isPart = isPart;
    this.#tellFirst();
  }

  #warnOfAside(error: unknown, { name }: Resolver): void {
    const message = `${this.name}: ${name} is not asked any more: ${messageOf(error)}`;
    this.warn({ code: 'SOURCE_ASIDE', message, error });
  }
}

/** Resolves when the work is done, however it ended, or when the time is over: to whether it was done. */
async function within(clock: Clock, millis: number, work: Promise<unknown>): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const timer = clock.setAwaited(() => resolve(false), millis);
    const end = (done: boolean): void => {
      clock.clear(timer);
      resolve(done);
    };
    work.then(
      () => end(true),
      () => end(false),
    );
  });
}

/** Over at once where that is aborted. */
async function pause(clock: Clock, millis: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || millis <= 0) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clock.clear(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setAwaited(end, millis);
    signal.addEventListener('abort', end);
  });
}
