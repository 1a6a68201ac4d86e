import type { Address } from './address.js';
import {
  type AdoptRules,
  type Condition,
  emptyHistory,
  type History,
  type Observation,
  observe,
  quarantined,
  unanswered,
  type Verdict,
} from './adopt.js';
import { type Answer, readResolution, type Resolution, type Resolver } from './answer.js';
import { type Guard, screen } from './guard.js';
import { Rotation } from './rotation.js';
import type { Witness, Word } from './words.js';

export interface FollowingOptions extends AdoptRules {
  readonly resolvers: readonly Resolver[];
  readonly guard: Guard;
}

/** What is known of the servers at the present addresses. */
export interface Present {
  readonly condition: Condition;
  /** Was any of them in use since the name points there? */
  readonly worked: boolean;
}

/** What a source said, with only such addresses as may be dialled. */
export interface Told {
  readonly answer: Answer;
  readonly resolver: Resolver;
  /** It was asked by hand. */
  readonly forced: boolean;
}

/** What all answers together have come to: who said what, and where the name points by it. */
export class Following {
  readonly #options: FollowingOptions;
  readonly #rotation: Rotation = new Rotation();
  #history: History = emptyHistory;

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  get current(): readonly Address[] {
    return this.#history.current;
  }

  observe(told: Told, present: Present): Verdict {
    const seen = this.#observation(told, present);
    const { witness, addresses } = seen.word;
    const before = this.#history.testimonies.get(witness.id)?.last;
    if (before !== undefined && !isSame(before, addresses)) this.#rotation.turned(seen.now);
    const [history, verdict] = observe(this.#history, seen, this.#options);
    this.#history = history;
    if (verdict.kind === 'adopted' && verdict.dropped.length > 0) this.#rotation.moved(seen.now);
    return verdict;
  }

  /** How often the name changes in a minute, if it seems to rotate through its servers by design; else null. */
  get rotation(): number | null {
    return this.#options.mode === 'set' ? null : this.#rotation.changes;
  }

  /** Would this answer be held? Then others may know better. */
  doubts(resolution: Resolution, resolver: Resolver, forced: boolean, present: Present, now: number): boolean {
    // Before there is an answer any will do.
    if (this.current.length === 0 || resolution.addresses.length === 0) return false;
    const answer = readResolution(resolution, '', resolver.name, now);
    const { allowed } = screen(answer.addresses, this.#options.guard);
    if (allowed.length === 0) return false;
    const told = { answer: { ...answer, addresses: allowed }, resolver, forced };
    return observe(this.#history, this.#observation(told, present), this.#options)[1].kind === 'held';
  }

  unanswered(resolver: Resolver, now: number): void {
    this.#history = unanswered(this.#history, this.#options.resolvers.indexOf(resolver), now);
  }

  quarantined(now: number): readonly Address[] {
    return quarantined(this.#history, now);
  }

  #observation({ answer, resolver, forced }: Told, present: Present): Observation {
    const { addresses, ttlSeconds, server, servers = [], others = [], silent = [], at } = answer;
    const witness = (name: string | undefined): Witness => {
      const source = this.#options.resolvers.indexOf(resolver);
      return { id: `${source} ${name ?? ''}`, source, place: name === undefined ? 0 : servers.indexOf(name) };
    };
    const word = (name: string | undefined, list: readonly Address[], ttl: number | null): Word => {
      return { witness: witness(name), addresses: list, ttlMillis: ttl === null ? null : ttl * 1_000 };
    };
    return {
      word: word(server, addresses, ttlSeconds),
      others: others.flatMap((other) => {
        const { allowed } = screen(other.addresses, this.#options.guard);
        return allowed.length === 0 ? [] : [word(other.server, allowed, other.ttlSeconds ?? null)];
      }),
      silent: silent.map((name) => witness(name).id),
      askable: [server, ...servers].map((name) => witness(name).id),
      now: at,
      forced,
      ...present,
    };
  }
}

function isSame(some: readonly Address[], others: readonly Address[]): boolean {
  return some.length === others.length && some.every((address) => others.includes(address));
}
