import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Resolution, ResolveHelp, Resolver } from '../../src/endpoint/answer.js';
import { Endpoint, type FollowOptions } from '../../src/index.js';
import { FakeClock } from '../fake-clock.js';
import { A, B } from './scripted-resolver.js';

let clock: FakeClock;
let endpoints: Endpoint[];
/** One DNS server, as it were: what it says, and who asked it. */
let says: readonly string[] | Error | 'nothing';
let questions: {
  readonly at: number;
  readonly by: Resolver;
  readonly help: ResolveHelp;
  readonly signal: AbortSignal;
  answer(...addresses: string[]): void;
}[];

class Shared implements Resolver {
  readonly name: string = 'shared';
  readonly sharedAs: string | undefined;
  readonly overlapping: boolean = true;

  constructor(sharedAs: string | undefined) {
    this.sharedAs = sharedAs;
  }

  resolve(_name: string, signal: AbortSignal, help: ResolveHelp): Promise<Resolution> {
    return new Promise((resolve, reject) => {
      const answer = (...addresses: string[]): void => resolve({ addresses });
      questions.push({ at: clock.now(), by: this, help, signal, answer });
      if (says instanceof Error) reject(says);
      else if (says !== 'nothing') answer(...says);
    });
  }
}

/** Each has a resolver object of its own, as each pool does. */
function make(options: FollowOptions & { as?: string | undefined; name?: string } = {}): Endpoint {
  const { as = 'dns', name = 'db.example.com', ...rest } = { ...options };
  const endpoint = new Endpoint(name, { clock, resolver: new Shared(as === 'nobody' ? undefined : as), ...rest });
  endpoints.push(endpoint);
  return endpoint;
}
function follow(options: Parameters<typeof make>[0] = {}): Endpoint {
  const endpoint = make(options);
  endpoint.start();
  return endpoint;
}
const current = (): readonly (string | undefined)[] => endpoints.map((each) => each.current?.addresses.join());

beforeEach(() => {
  [clock, endpoints, questions, says] = [new FakeClock(), [], [], [A]];
});
afterEach(() => {
  for (const endpoint of endpoints) endpoint.close();
});

describe('endpoints of a process that follow one name by the same source', () => {
  it('ask it one question, together and on schedule', async () => {
    for (let i = 0; i < 50; i++) follow();
    await clock.advance(0);
    expect([questions.length, new Set(current())]).toEqual([1, new Set([A])]);
    await clock.advance(10_000);
    expect(questions.length).toBeLessThanOrEqual(13);
  });

  it('all move with the answer to whoever asked, and know its age', async () => {
    for (let i = 0; i < 5; i++) follow();
    await clock.advance(10_000);
    says = [B];
    await clock.advance(1_100);
    expect(current()).toEqual([B, B, B, B, B]);
    expect(new Set(endpoints.map((each) => each.current?.at))).toHaveProperty('size', 1);
  });

  it('notice a move as soon as one of them would alone', async () => {
    for (let i = 0; i < 5; i++) follow();
    await clock.advance(1_234);
    for (let i = 0; i < 20; i++) {
      const before = questions.at(-1)!.at;
      await clock.advance(500);
      expect(clock.now() - questions.at(-1)!.at, String(before)).toBeLessThanOrEqual(1_000);
    }
  });

  it('ask once where all of them lose their connections together', async () => {
    for (let i = 0; i < 100; i++) follow();
    await clock.advance(5_000);
    const before = questions.length;
    says = 'nothing';
    for (const endpoint of endpoints) endpoint.suspect({ address: A, port: 5432 }, new Error('reset'));
    await clock.advance(0);
    expect(questions.length - before).toBe(1);
    questions.at(-1)!.answer(B);
    await clock.advance(0);
    expect(new Set(current())).toEqual(new Set([B]));
  });

  it('hear of a failure together, once', async () => {
    const told: number[] = [];
    for (let i = 0; i < 3; i++) follow().on('resolveError', () => told.push(i));
    await clock.advance(1_500);
    says = new Error('SERVFAIL');
    await clock.advance(1_050);
    expect([told.toSorted((a, b) => a - b), current()]).toEqual([
      [0, 1, 2],
      [A, A, A],
    ]);
  });

  it('are asked for anew by hand; what is said then is by hand for whoever asked alone', async () => {
    const [one, other] = [follow(), follow()];
    await clock.advance(11_000);
    says = [B];
    await clock.advance(1_100);
    says = [A];
    await Promise.all([one.refresh(), clock.advance(0)]);
    expect(current()).toEqual([A, B]);
    expect(other.snapshot().quarantined).toEqual([A]);
  });

  it('share nothing with those that ask others, another name, or with other time-outs', async () => {
    follow();
    follow({ as: 'other' });
    follow({ name: 'other.example.com' });
    follow({ lookupTimeoutMillis: 500 });
    follow({ as: 'nobody' });
    follow({ as: 'nobody' });
    follow({ name: 'DB.example.COM' });
    await clock.advance(0);
    expect(questions).toHaveLength(6);
  });

  it('give up the question that is under way only when the last of them is closed', async () => {
    says = 'nothing';
    const [one, other] = [follow(), follow()];
    await clock.advance(0);
    one.close();
    await clock.advance(0);
    expect(questions[0]!.signal.aborted).toBe(false);
    other.close();
    await clock.advance(0);
    expect([questions[0]!.signal.aborted, questions[0]!.help.following.aborted, clock.delays]).toEqual([
      true,
      true,
      [],
    ]);
  });

  it('do not inherit the end of those that were closed before', async () => {
    says = 'nothing';
    follow().close();
    says = [A];
    const late = follow();
    expect((await late.ready()).addresses).toEqual([A]);
  });
});

describe('an endpoint that comes later', () => {
  it('asks anew, and those that follow the name hear of it', async () => {
    const early = follow();
    await clock.advance(500);
    says = [B];
    expect((await follow().ready()).addresses).toEqual([B]);
    expect(early.current?.addresses).toEqual([B]);
  });

  it('takes the answer to the question that is under way', async () => {
    follow();
    await clock.advance(500);
    const before = questions.length;
    says = 'nothing';
    const [one, other] = [follow(), follow()];
    questions.at(-1)!.answer(A);
    expect((await Promise.all([one.ready(), other.ready()])).map(({ addresses }) => addresses)).toEqual([[A], [A]]);
    expect(questions).toHaveLength(before + 1);
  });

  it('takes the last answer where many come and are all told the same, beside one that stays', async () => {
    follow();
    for (let i = 0; i < 100; i++) {
      await follow().ready();
      await clock.advance(25);
    }
    expect(questions.length).toBeLessThanOrEqual(4 + 4);
  });

  it('asks anew where nobody follows the name any more', async () => {
    await follow().ready();
    endpoints[0]!.close();
    says = [B];
    expect((await follow().ready()).addresses).toEqual([B]);
    expect(questions).toHaveLength(2);
  });

  it('asks by one source for as long as somebody comes within an interval, then by one that knows nothing', async () => {
    const sources = new Set<Resolver>();
    for (const [gap, known] of [
      [0, 1],
      [25, 1],
      [900, 1],
      [900, 1],
      [1_100, 2],
    ] as const) {
      await clock.advance(gap);
      const endpoint = follow();
      await endpoint.ready();
      endpoint.close();
      sources.add(questions.at(-1)!.by);
      expect(sources.size).toBe(known);
    }
  });

  it('does not where many come and go: an application that connects for each request asks once an interval', async () => {
    for (let i = 0; i < 200; i++) {
      const endpoint = follow();
      await endpoint.ready();
      endpoint.close();
      await clock.advance(25);
    }
    // Five seconds; the first few knew nothing of each other.
    expect(questions.length).toBeLessThanOrEqual(4 + 6);
  });

  it('asks anew where many come and go and were not all told the same: the name moves', async () => {
    for (let i = 0; i < 20; i++) {
      says = [i % 4 === 0 ? A : B];
      const endpoint = follow();
      expect((await endpoint.ready()).addresses).toEqual(says);
      endpoint.close();
      await clock.advance(25);
    }
  });

  it('takes no answer from before the machine slept', async () => {
    follow();
    await clock.advance(500);
    clock.skipWall(3_600_000);
    says = [B];
    expect((await follow().ready()).addresses).toEqual([B]);
  });
});

describe('a part of the first answer', () => {
  it('is used at once, and what is missing joins it', async () => {
    says = 'nothing';
    const endpoint = follow();
    await clock.advance(0);
    questions[0]!.help.early({ addresses: [A] });
    await clock.advance(0);
    expect(current()).toEqual([A]);
    expect((await endpoint.known()).addresses).toEqual([A]);
    const whole = endpoint.ready();
    questions[0]!.answer(A, B);
    expect((await whole).addresses).toEqual([A, B]);
    expect(endpoint.generation).toBe(0);
  });

  it('is no more than that: it moves nothing, and refuses nothing', async () => {
    const endpoint = follow();
    await clock.advance(0);
    says = 'nothing';
    await clock.advance(1_000);
    questions.at(-1)!.help.early({ addresses: [B] });
    await clock.advance(0);
    expect([current(), endpoint.generation]).toEqual([[A], 0]);
    endpoint.close();
    const fresh = make({ as: 'fresh' });
    const ready = fresh.ready();
    await clock.advance(0);
    questions.at(-1)!.help.early({ addresses: ['75.101.137.243'] });
    questions.at(-1)!.help.early({ addresses: ['nonsense'] });
    questions.at(-1)!.answer('75.101.137.243', A);
    expect((await ready).addresses).toEqual([A]);
  });
});

describe('a late answer', () => {
  it('is taken while there is none yet, up to ten times lookupTimeoutMillis', async () => {
    says = 'nothing';
    const [patient, hopeless] = [follow(), follow({ as: 'dead' })];
    const failed = expect(hopeless.ready()).rejects.toMatchObject({
      code: 'LOOKUP_TIMEOUT',
      message: expect.stringContaining('lookupTimeoutMillis'),
    });
    await clock.advance(9_000);
    questions[0]!.answer(A);
    expect((await patient.ready()).addresses).toEqual([A]);
    await clock.advance(1_000);
    await failed;
  });
});
