import type { Clock } from '../clock.js';
import { isEipPoolError } from '../errors.js';
import type { Resolution, Resolver } from './answer.js';
import type { Urgency } from './packet-budget.js';
import { type Listener, type Received, type SharedSource, sharedSource } from './shared-source.js';
import { noTurn, onAnswer, onCalm, onFailure, onTrouble, type Turn } from './turn.js';
import { untilAborted } from './until-aborted.js';

/** A source that the endpoint shares with others, while it follows the name, and what is the endpoint's own in it. */
interface Source {
  readonly resolver: Resolver;
  readonly listener: Listener;
  shared: SharedSource | null;
  turn: Turn;
  /** It may not be asked at all, and said so: only by hand is it asked again. */
  aside: boolean;
}

/** Why they are asked. */
export interface Asking {
  /** By hand: what they say is taken, quarantine or not. */
  readonly forced: boolean;
  /** A caller waits for the answer, so every source is asked now that is not resting. */
  readonly awaited: boolean;
  /** Something failed, or sources disagree: also those are asked that are asked on suspicion only. */
  readonly troubled: boolean;
  /**
   * Somebody waits for a connection, so a question that is not answered yet holds up no other one. Without anybody it
   * does: c-ares keeps the process alive while it asks, and an idle process must be able to end.
   */
  readonly pressing: boolean;
  /** What was said to anybody within this time will do. */
  readonly withinMillis: number;
  /** The process slept: what was asked before says nothing. */
  readonly woken: boolean;
  /** There is no answer yet. */
  readonly isFirst: boolean;
}

export interface SourcesOptions {
  readonly name: string;
  readonly resolvers: readonly Resolver[];
  readonly clock: Clock;
  readonly lookupTimeoutMillis: number;
  /** How long an answer that another endpoint was given is as good as one's own. */
  readonly intervalMillis: number;
  readonly signal: AbortSignal;
  readonly onAnswer: (received: Received) => Promise<void>;
  /** Would this, if it were the answer, change nothing because it repeats what was left? */
  readonly doubts: (resolution: Resolution, resolver: Resolver, forced: boolean) => boolean;
  readonly onError: (error: unknown, resolver: Resolver) => void;
  /** A source stepped aside: told once. */
  readonly onAside: (error: unknown, resolver: Resolver) => void;
}

/** The sources of one endpoint: whose turn it is, and what each of them says, whoever asked. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #sources: readonly Source[];

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#sources = options.resolvers.map((resolver) => this.#source(resolver));
    options.signal.addEventListener('abort', () => this.leave(options.signal.reason), { once: true });
  }

  /** Resolves with the first answer; rejects with the last error when every source failed. */
  async ask(how: Asking): Promise<void> {
    const due = this.#sources.filter((source) => this.#isDue(source, how));
    // Whoever waits must learn something, if only why nobody answers.
    const asked = due.length === 0 && how.awaited ? this.#sources : due;
    if (asked.length === 0) return;
    try {
      await Promise.any(asked.map((source) => this.#ask(source, how)));
    } catch (error) {
      throw error instanceof AggregateError ? error.errors.at(-1) : error;
    }
  }

  /** Nothing is heard any more until something is asked. */
  leave(reason?: unknown): void {
    for (const source of this.#sources) {
      source.shared?.leave(source.listener, reason);
      source.shared = null;
    }
  }

  #source(resolver: Resolver): Source {
    const { onAnswer: answered, doubts, onError } = this.#options;
    const source: Source = {
      resolver,
      shared: null,
      turn: noTurn,
      aside: false,
      listener: {
        onAnswer: async (received) => {
          source.aside = false;
          await answered({ ...received, resolver });
        },
        onError: (error) => {
          this.#onFailure(source, error);
          onError(error, resolver);
        },
        doubts: (resolution, forced) => doubts(resolution, resolver, forced),
        chain: async (signal) => await this.#chain(source, signal),
      },
    };
    return source;
  }

  #isDue(source: Source, how: Asking): boolean {
    const { forced, awaited, troubled, pressing } = how;
    const { clock } = this.#options;
    const { shared, resolver, aside } = source;
    const now = clock.now();
    source.turn = troubled ? onTrouble(source.turn, now, clock.random()) : onCalm(source.turn);
    const { at, notBefore, failures } = source.turn;
    const onSuspicion = resolver.asked === 'on-suspicion';
    if (forced) return true;
    if (aside) return false;
    if (awaited) return !(onSuspicion && failures > 0 && notBefore > now);
    if (shared?.isAsked(urgencyOf(how)) === true && !(resolver.overlapping === true && pressing)) return false;
    return !onSuspicion || (at !== null && at <= now);
  }

  async #ask(source: Source, how: Asking): Promise<void> {
    const { clock, signal } = this.#options;
    signal.throwIfAborted();
    const { awaited } = how;
    const { shared, listener } = this.#following(source);
    await untilAborted(shared.ask(listener, { ...how, urgency: urgencyOf(how) }), signal);
    // What a caller waited for, as at the start, costs no turn.
    if (!awaited) source.turn = onAnswer(source.turn, clock.now(), clock.random());
  }

  #following(source: Source): Source & { readonly shared: SharedSource } {
    const { resolver, listener } = source;
    const shared = source.shared ?? sharedSource({ ...this.#options, resolver }, this.#options.intervalMillis);
    shared.follow(listener);
    return Object.assign(source, { shared });
  }

  async #chain(asker: Source, signal: AbortSignal): Promise<readonly string[]> {
    for (const source of this.#sources) {
      if (source === asker) continue;
      const chain = await this.#following(source).shared.chain(signal);
      if (chain.length > 0) return chain;
    }
    return [];
  }

  #onFailure(source: Source, error: unknown): void {
    const { clock, onAside } = this.#options;
    source.turn = onFailure(source.turn, clock.now(), clock.random());
    const stepsAside = isEipPoolError(error) && error.code === 'API_UNAUTHORIZED' && !source.aside;
    if (!stepsAside) return;
    source.aside = true;
    onAside(error, source.resolver);
  }
}

function urgencyOf({ awaited, troubled, pressing }: Asking): Urgency {
  if (awaited) return 'awaited';
  if (!troubled) return 'periodic';
  return pressing ? 'pressing' : 'suspect';
}
