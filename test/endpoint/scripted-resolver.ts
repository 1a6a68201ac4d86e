import type { Service } from '../../src/endpoint/address.js';
import type { Resolution, Resolver } from '../../src/endpoint/answer.js';
import { Endpoint, type FollowOptions } from '../../src/index.js';
import { FakeClock } from '../fake-clock.js';

export const A = '10.0.0.1';
export const B = '10.0.0.2';
export const C = '10.0.0.3';
export const PUBLIC = '75.101.137.243';

/** The server that the tests of an endpoint speak of, at one of its addresses. */
export function serviceAt(address: string): Service {
  return { address, port: 5_432 };
}

export interface Question {
  readonly at: number;
  readonly signal: AbortSignal;
  answer(...addresses: string[]): void;
  fail(error: Error): void;
}

/** Says what the test wants it to say, and remembers when it was asked. */
export class ScriptedResolver implements Resolver {
  readonly name: string;
  readonly asked: 'always' | 'on-suspicion' | undefined;
  readonly overlapping: boolean;
  readonly questions: Question[] = [];
  chain?: (name: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** Addresses, an error, or nothing: the test answers each question itself. */
  says: readonly string[] | Error | 'nothing';
  readonly #clock: FakeClock;

  constructor(
    clock: FakeClock,
    says: ScriptedResolver['says'],
    options: { name?: string; asked?: 'on-suspicion'; overlapping?: boolean } = {},
  ) {
    this.#clock = clock;
    this.says = says;
    this.name = options.name ?? 'scripted';
    this.asked = options.asked;
    this.overlapping = options.overlapping ?? false;
  }

  resolve(_name: string, signal: AbortSignal): Promise<Resolution> {
    return new Promise((resolve, reject) => {
      this.questions.push({
        at: this.#clock.now(),
        signal,
        answer: (...addresses) => resolve({ addresses }),
        fail: reject,
      });
      if (this.says instanceof Error) reject(this.says);
      else if (this.says !== 'nothing') resolve({ addresses: this.says, ttlSeconds: 20 });
    });
  }

  get count(): number {
    return this.questions.length;
  }

  /** The times between the questions since this one. */
  gaps(from = 0): number[] {
    const times = this.questions.slice(from).map(({ at }) => at);
    return times.slice(1).map((at, i) => at - times[i]!);
  }
}

type EventName = 'answer' | 'move' | 'suspect' | 'down' | 'recovered' | 'resolveError' | 'warning';
const EVENTS: readonly EventName[] = ['answer', 'move', 'suspect', 'down', 'recovered', 'resolveError', 'warning'];

class Waited extends Endpoint {
  /** Somebody waits for a connection, without a socket that would dial. */
  waited = false;

  protected override isAwaited(): boolean {
    return this.waited || super.isAwaited();
  }
}

/** An endpoint on a clock of the test's, with one scripted source unless others are given. */
export class Followed {
  readonly clock: FakeClock = new FakeClock();
  readonly source: ScriptedResolver;
  readonly endpoint: Waited;
  readonly events: { readonly name: EventName; readonly payload: object }[] = [];

  constructor(
    says: ScriptedResolver['says'] = [A],
    options: FollowOptions = {},
    others: (clock: FakeClock) => readonly ScriptedResolver[] = () => [],
    sourceOptions: { overlapping?: boolean } = {},
  ) {
    this.source = new ScriptedResolver(this.clock, says, sourceOptions);
    const resolver = [this.source, ...others(this.clock)];
    this.endpoint = new Waited('db.example.com', { clock: this.clock, resolver, ...options });
    for (const name of EVENTS) this.endpoint.on(name, (payload: object) => this.events.push({ name, payload }));
  }

  get addresses(): readonly string[] {
    return this.endpoint.current?.addresses ?? [];
  }

  told(name: EventName): readonly object[] {
    return this.events.filter((event) => event.name === name).map(({ payload }) => payload);
  }

  async start(): Promise<void> {
    this.endpoint.start();
    await this.clock.advance(0);
  }

  /** It has been at A for long, and has just moved to B. */
  async movedOn(): Promise<void> {
    await this.start();
    await this.clock.advance(11_000);
    this.source.says = [B];
    await this.clock.advance(1_000);
  }
}

/** What a promise rejects with; undefined while it is pending or when it resolved. */
export function failureOf(promise: Promise<unknown>): { error: unknown; done: boolean } {
  const failure: { error: unknown; done: boolean } = { error: undefined, done: false };
  promise.then(
    () => (failure.done = true),
    (error: unknown) => Object.assign(failure, { error, done: true }),
  );
  return failure;
}
