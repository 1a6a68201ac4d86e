import { EipPoolError, messageOf } from '../errors.js';
import type { Address, Service } from './address.js';
import type { Condition, Verdict } from './adopt.js';
import type { Answer, Resolution, Resolver } from './answer.js';
import { Conditions } from './conditions.js';
import type { EndpointEvents, EndpointSnapshot } from './endpoint-events.js';
import { FollowedName } from './followed-name.js';
import { Following, type Present, type Told } from './following.js';
import { PublicAddressError, screen } from './guard.js';
import { answerLookup, type LookupFunction } from './lookup.js';
import type { FollowOptions } from './options.js';
import type { Received } from './shared-source.js';
import { type EndpointState, nextQuestionIn, type StateEvent, type StateKind, transition } from './states.js';

/**
 * One name, and the one authority on where it points. This class turns a name into the current answer; the sockets
 * are its subclass's, through the protected hooks.
 */
export abstract class NameEndpoint extends FollowedName {
  #state: EndpointState;
  readonly #following: Following;
  #current: Answer | null = null;
  #addresses: ReadonlySet<Address> = new Set();
  /** The last answer, if it was held: it named only addresses that may not come back yet. */
  #held: Told | null = null;
  readonly #conditions: Conditions = new Conditions();
  #generation = 0;
  #publicView: PublicAddressError | null = null;
  #lastResolveError: unknown = null;
  readonly #moveHooks: Set<() => void> = new Set();
  #toldOfRotation = false;

  constructor(name: string, options?: FollowOptions) {
    super(name, options);
    this.#following = new Following(this.options);
    this.#state = { kind: 'resolving', since: this.clock.now() };
  }

  override get current(): Answer | null {
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

  /** Shaped as `dns.lookup`, for `net.connect`, agents and drivers. Other names go to `dns.lookup`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => answerLookup(this, hostname, options, callback);

  /** Why no new connection may be made now; null if one may. */
  get refusal(): EipPoolError | null {
    if (this.#state.kind === 'closed') return this.closedError();
    if (this.#publicView !== null) return this.#publicView;
    const age = this.#current === null ? 0 : this.clock.now() - this.#current.at;
    if (age <= this.options.maxAnswerAgeMillis) return null;
    return new EipPoolError(
      'ANSWER_TOO_OLD',
      `${this.name}: the last good answer is ${Math.round(age)} ms old, more than follow.maxAnswerAgeMillis ` +
        `(${this.options.maxAnswerAgeMillis}); last error of a resolver: ${messageOf(this.#lastResolveError)}`,
      { cause: this.#lastResolveError },
    );
  }

  /** What is known of a service at a current address, from whoever tried to connect to it. */
  report(service: Service, condition: Condition, cause?: unknown): void {
    if (!this.has(service.address) || this.#state.kind === 'closed') return;
    this.#conditions.note(service, condition, this.clock.now(), cause);
    if (condition === 'usable') return this.#worked(service);
    const best = this.#condition();
    this.#step({ kind: 'failed', cause, everywhere: best !== 'usable' && best !== 'read-only' }, service.address);
    // A name that wants to go back may now be allowed to.
    if (this.#held !== null) this.#observe(this.#held);
  }

  /** Has the server there refused, started or been found dead after that moment? Its sessions of then are gone. */
  wasAbsentAfter(service: Service, moment: number): boolean {
    return this.#conditions.wasAbsentAfter(service, moment);
  }

  /** A service at a current address said something: it lives, whatever else is known of it. */
  noteLife(service: Service): void {
    this.#conditions.heard(service, this.clock.now());
    this.#worked(service);
  }

  /** A connection to a current address ended unasked: no proof of anything, but a reason to ask the name. */
  suspect(service: Service, cause: unknown): void {
    if (!this.has(service.address)) return;
    this.#conditions.doubt(service, this.clock.now());
    this.#step({ kind: 'failed', cause, everywhere: false }, service.address);
  }

  #worked({ address }: Service): void {
    this.#step(
      { kind: 'worked', elsewhere: this.#conditions.isTroubled(this.clock.now()) ? 'trouble' : 'well' },
      address,
    );
  }

  /** For adapters: called on each move, once every socket has been dealt with. Returns the way to take it back. */
  onMove(hook: () => void): () => void {
    this.#moveHooks.add(hook);
    return () => this.#moveHooks.delete(hook);
  }

  /** For adapters: a statement is run again. */
  noteReplay(make: () => EndpointEvents['replay'][0]): void {
    this.announce('replay', this.name, make);
  }

  snapshot(): EndpointSnapshot {
    const now = this.clock.now();
    return {
      name: this.name,
      state: this.#state.kind,
      generation: this.#generation,
      addresses: this.#current?.addresses ?? [],
      chain: this.#current?.chain ?? [],
      ttlSeconds: this.#current?.ttlSeconds ?? null,
      source: this.#current?.source ?? null,
      answerAgeMillis: this.#current === null ? null : now - this.#current.at,
      quarantined: this.#following.quarantined(now),
      refusal: this.refusal,
      lastResolveError: this.#lastResolveError,
    };
  }

  /** Stops following. Sockets that the endpoint made are destroyed: nobody would notice if they became stale. */
  close(): void {
    if (this.#state.kind === 'closed') return;
    this.#state = transition(this.#state, { kind: 'closed' }, this.clock.now());
    this.stopAsking();
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
  /** Are connections to it open? */
  protected abstract isUsed(service: Service): boolean;

  protected override get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  protected override get unusable(): EipPoolError | null {
    return this.#publicView;
  }

  protected override pauseMillis(random: number): number {
    return nextQuestionIn(this.#state, this.clock.now(), this.options, random);
  }

  protected override get isTroubled(): boolean {
    return this.#state.kind !== 'steady' || this.#held !== null;
  }

  protected override onTick(): void {
    if (this.#state.kind === 'suspect' || this.#state.kind === 'down') this.onSuspectTick();
  }

  protected override doubts(resolution: Resolution, resolver: Resolver, forced: boolean): boolean {
    return this.#following.doubts(resolution, resolver, forced, this.#present(), this.clock.now());
  }

  protected override onResolveError(error: unknown, resolver: Resolver): void {
    this.#lastResolveError = error;
    this.#following.unanswered(resolver, this.clock.now());
    // The name no longer says so.
    if (this.#held?.resolver === resolver) this.#held = null;
    this.announce('resolveError', this.name, () => ({ error, source: resolver.name }));
  }

  protected override async onAnswer({ answer, forced, resolver, chain, isLatest, isPart }: Received): Promise<void> {
    const { allowed, refused } = screen(answer.addresses, this.options.guard);
    if (allowed.length === 0) {
      // What is missing may be allowed.
      if (isPart) return;
      const known = answer.chain.length > 0 || this.#publicView !== null;
      const names = known ? answer.chain : await chain();
      // The chain took its time: a later answer may know better by now.
      if (isLatest()) this.#refuse(new PublicAddressError(this.name, refused, names));
      return;
    }
    const wasRefused = this.refusal !== null;
    this.#publicView = null;
    this.#observe({ answer: { ...answer, addresses: allowed }, resolver, forced });
    if (wasRefused && this.refusal === null) this.onDialable();
  }

  #refuse(error: PublicAddressError): void {
    if (this.#publicView !== null || this.#state.kind === 'closed') return;
    this.#publicView = error;
    if (this.#current !== null) this.warn({ code: 'PUBLIC_ADDRESS', message: error.message, error });
    this.onDialable();
  }

  #observe(told: Told): void {
    const { answer } = told;
    const from = this.#following.current;
    const verdict = this.#following.observe(told, this.#present());
    this.#held = verdict.kind === 'held' ? { ...told, forced: false } : null;
    if (verdict.kind !== 'held') this.#current = Object.freeze({ ...answer, addresses: this.#following.current });
    this.announce('answer', this.name, () => ({ answer, verdict: verdict.kind }));
    if (verdict.kind === 'held') this.onContested();
    if (verdict.kind === 'adopted') this.#adopt(answer, from, verdict);
    this.#watchForRotation();
  }

  #adopt(answer: Answer, from: readonly Address[], verdict: Verdict & { readonly kind: 'adopted' }): void {
    this.#addresses = new Set(this.#following.current);
    for (const address of verdict.dropped) this.#conditions.leave(address);
    const moved = verdict.dropped.length > 0;
    if (moved) this.#generation++;
    this.#step({ kind: moved ? 'moved' : 'answered' });
    this.onChanged(verdict.dropped);
    this.onDialable();
    if (!moved) return;
    for (const hook of this.#moveHooks) hook();
    const generation = this.#generation;
    const to = this.#following.current;
    this.announce('move', this.name, () => ({ from, to, generation, source: answer.source, answer }));
  }

  #watchForRotation(): void {
    const changes = this.#following.rotation;
    if (changes === null || this.#toldOfRotation) return;
    this.#toldOfRotation = true;
    this.warn({
      code: 'ROTATING',
      message:
        `${this.name} changed its address ${changes} times within a minute. If it rotates through several ` +
        `servers by design, set follow.mode: 'set'.`,
    });
  }

  #present(): Present {
    return { condition: this.#condition(), worked: this.#conditions.haveWorked(this.#following.current) };
  }

  #condition(): Condition {
    return this.#conditions.best(this.#following.current, this.clock.now(), (service) => this.isUsed(service));
  }

  #step(event: StateEvent, address: Address = ''): void {
    const before = this.#state;
    const now = this.clock.now();
    const after = transition(before, event, now);
    this.#state = after;
    if (before.kind === after.kind) return;
    if (after.kind === 'suspect' && event.kind === 'failed') {
      this.announce('suspect', this.name, () => ({ cause: after.cause, address }));
    }
    if (after.kind === 'down') {
      this.announce('down', this.name, () => ({ cause: after.cause, addresses: this.#following.current }));
    }
    if (after.kind === 'steady' && (before.kind === 'suspect' || before.kind === 'down')) {
      this.announce('recovered', this.name, () => ({ address, afterMillis: now - before.failedAt }));
    }
    // Only the step out of calm is a reason to ask at once; from then on the schedule is often enough.
    if (before.kind === 'steady') this.askNow();
  }
}
