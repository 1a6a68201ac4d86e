import type { Clock } from '../clock.js';
import { isEipPoolError } from '../errors.js';
import type { Answer, Resolver, ResolveHelp } from './answer.js';
import { askChain, askOnce } from './question.js';
import { noTurn, onAnswer, onCalm, onFailure, onTrouble, type Turn } from './turn.js';

/** A resolver and what is under way with it. */
interface Source {
  readonly resolver: Resolver;
  pending: number;
  /** The latest question under way. */
  question: Promise<void>;
  /** One that is asked by hand once that has ended. */
  next: Promise<void> | null;
  /** The number of the latest question that it answered; an older question's answer comes too late. */
  answered: number;
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
}

/** An answer that no later one of its source has overtaken. */
export interface Received {
  readonly answer: Answer;
  readonly forced: boolean;
  readonly resolver: Resolver;
  /** Asks for the CNAME chain alone. Never rejects. */
  chain(): Promise<readonly string[]>;
  /** Still not overtaken? */
  isLatest(): boolean;
}

export interface SourcesOptions {
  readonly name: string;
  readonly resolvers: readonly Resolver[];
  readonly clock: Clock;
  readonly lookupTimeoutMillis: number;
  readonly signal: AbortSignal;
  readonly onAnswer: (received: Received) => Promise<void>;
  readonly onError: (error: unknown, resolver: Resolver) => void;
  /** A source stepped aside: told once. */
  readonly onAside: (error: unknown, resolver: Resolver) => void;
}

/** The resolvers of one endpoint: whose turn it is, and what became of each question. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #sources: readonly Source[];
  #questions = 0;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#sources = options.resolvers.map((resolver) => ({
      resolver,
      pending: 0,
      question: Promise.resolve(),
      next: null,
      answered: 0,
      turn: noTurn,
      aside: false,
    }));
  }

  /** Resolves with the first answer; rejects with the last error when every source failed. */
  async ask(how: Asking): Promise<void> {
    const due = this.#sources.filter((source) => this.#isDue(source, how));
    // Whoever waits must learn something, if only why nobody answers.
    const asked = due.length === 0 && how.awaited ? this.#sources : due;
    if (asked.length === 0) return;
    try {
      await Promise.any(asked.map((source) => this.#join(source, how)));
    } catch (error) {
      throw error instanceof AggregateError ? error.errors.at(-1) : error;
    }
  }

  /** A source that can be asked one thing at a time answers all who wait with one reply. */
  #join(source: Source, how: Asking): Promise<void> {
    const busy = source.pending > 0 && source.resolver.overlapping !== true;
    if (!busy) return (source.question = this.#ask(source, how.forced, how.awaited));
    if (!how.forced) return source.question;
    // What is under way was asked before, and not by hand: quarantine holds for its answer.
    const ask = (): Promise<void> => {
      source.next = null;
      return this.#join(source, how);
    };
    return (source.next ??= source.question.then(ask, ask));
  }

  #isDue(source: Source, { forced, awaited, troubled, pressing }: Asking): boolean {
    const { clock } = this.#options;
    const { resolver, pending, aside } = source;
    const now = clock.now();
    source.turn = troubled ? onTrouble(source.turn, now, clock.random()) : onCalm(source.turn);
    const { at, notBefore, failures } = source.turn;
    const onSuspicion = resolver.asked === 'on-suspicion';
    if (forced) return true;
    if (aside) return false;
    if (awaited) return !(onSuspicion && failures > 0 && notBefore > now);
    if (pending > 0 && !(resolver.overlapping === true && pressing)) return false;
    return !onSuspicion || (at !== null && at <= now);
  }

  async #ask(source: Source, forced: boolean, awaited: boolean): Promise<void> {
    const { name, clock, lookupTimeoutMillis, signal } = this.#options;
    const number = ++this.#questions;
    source.pending++;
    try {
      const bounds = { clock, timeoutMillis: lookupTimeoutMillis, awaited, signal };
      const help = (asking: AbortSignal): ResolveHelp => {
        return { chain: () => this.#chain(source, { ...bounds, signal: asking }) };
      };
      const answer = await askOnce(source.resolver, name, bounds, help);
      // What a caller waited for, as at the start, costs no turn.
      if (!awaited) source.turn = onAnswer(source.turn, clock.now(), clock.random());
      source.aside = false;
      if (number < source.answered || signal.aborted) return;
      source.answered = number;
      await this.#options.onAnswer({
        answer,
        forced,
        resolver: source.resolver,
        chain: () => askChain(source.resolver, name, bounds),
        isLatest: () => number === source.answered,
      });
    } catch (error) {
      if (!signal.aborted) this.#onFailure(source, error);
      throw error;
    } finally {
      source.pending--;
    }
  }

  async #chain(asker: Source, bounds: Parameters<typeof askChain>[2]): Promise<readonly string[]> {
    for (const source of this.#sources) {
      if (source === asker) continue;
      const chain = await askChain(source.resolver, this.#options.name, bounds);
      if (chain.length > 0) return chain;
    }
    return [];
  }

  #onFailure(source: Source, error: unknown): void {
    const { clock, onAside, onError } = this.#options;
    source.turn = onFailure(source.turn, clock.now(), clock.random());
    const stepsAside = isEipPoolError(error) && error.code === 'API_UNAUTHORIZED' && !source.aside;
    if (stepsAside) {
      source.aside = true;
      onAside(error, source.resolver);
    }
    onError(error, source.resolver);
  }
}
