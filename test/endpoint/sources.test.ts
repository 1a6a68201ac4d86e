import { beforeEach, describe, expect, it } from 'vitest';
import type { Received } from '../../src/endpoint/shared-source.js';
import { type Asking, Sources } from '../../src/endpoint/sources.js';
import { EipPoolError } from '../../src/errors.js';
import { FakeClock } from '../fake-clock.js';
import { A, B, failureOf, type Question, ScriptedResolver } from './scripted-resolver.js';

const failed = new Error('SERVFAIL');
const throttled = new EipPoolError('API_THROTTLED', 'too many');
const unauthorized = new EipPoolError('API_UNAUTHORIZED', 'no permission');
let clock: FakeClock;
let closing: AbortController;
let received: Received[];
let errors: unknown[];
let aside: string[];

beforeEach(() => {
  [clock, closing, received, errors, aside] = [new FakeClock(), new AbortController(), [], [], []];
});

const source = (says: ScriptedResolver['says'], options: ConstructorParameters<typeof ScriptedResolver>[2] = {}) =>
  new ScriptedResolver(clock, says, options);

/** They are asked with what the test says, and otherwise as by the schedule while all is well. */
function of(...resolvers: readonly ScriptedResolver[]): (how?: Partial<Asking>) => Promise<void> {
  const sources = new Sources({
    name: 'db.example.com',
    resolvers,
    clock,
    lookupTimeoutMillis: 1_000,
    intervalMillis: 1_000,
    signal: closing.signal,
    onAnswer: async (answer) => void received.push(answer),
    doubts: () => false,
    onError: (error) => errors.push(error),
    onAside: (_error, { name }) => aside.push(name),
  });
  return async (how = {}) => {
    const calm = { forced: false, awaited: false, troubled: false, pressing: false, withinMillis: 0 };
    await sources.ask({ ...calm, woken: false, isFirst: false, ...how });
  };
}
const named = (): readonly string[] => received.map(({ answer }) => answer.addresses.join());

describe('the sources of an endpoint', () => {
  it('are all asked; the first answer is enough, and each is told', async () => {
    const [quick, slow] = [source([A]), source('nothing')];
    await of(quick, slow)({ awaited: true });
    expect([named(), slow.count]).toEqual([[A], 1]);
    slow.questions[0]!.answer(B);
    await clock.advance(0);
    expect(named()).toEqual([A, B]);
  });

  it('fail with the last one’s error where each of them fails', async () => {
    await expect(of(source(throttled), source(failed))({ awaited: true })).rejects.toBe(failed);
    expect(errors).toEqual([throttled, failed]);
  });

  it('keep the process alive only while a caller waits', async () => {
    const [one, other] = [source('nothing'), source('nothing')];
    void of(one)().catch(() => {});
    expect(clock.awaited).toBe(0);
    void of(other)({ awaited: true }).catch(() => {});
    expect(clock.awaited).toBe(1);
  });

  it('whose endpoint is closed fail with what it was closed with, and nobody is told', async () => {
    const ask = of(source('nothing'));
    const asked = failureOf(ask({ awaited: true }));
    await clock.advance(0);
    closing.abort(failed);
    await clock.advance(0);
    expect([asked.error, errors, clock.delays]).toEqual([failed, [], []]);
  });
});

describe('a source that has not answered yet', () => {
  it('answers all who wait with one reply', async () => {
    const one = source('nothing');
    const ask = of(one);
    const waiting = [ask({ awaited: true }), ask({ awaited: true })];
    await clock.advance(0);
    expect(one.count).toBe(1);
    one.questions[0]!.answer(A);
    await Promise.all(waiting);
    expect(named()).toEqual([A]);
  });

  it.each([
    ['answers', (question: Question) => question.answer(A)],
    ['fails', (question: Question) => question.fail(failed)],
  ])('is asked once more for all who ask by hand meanwhile, as soon as it %s', async (_how, end) => {
    const one = source('nothing');
    const ask = of(one);
    ask({ awaited: true }).catch(() => {});
    const byHand = [1, 2].map(() => ask({ forced: true, awaited: true }));
    await clock.advance(0);
    expect(one.count).toBe(1);
    end(one.questions[0]!);
    await clock.advance(0);
    expect(one.count).toBe(2);
    one.questions[1]!.answer(B);
    await Promise.all(byHand);
    expect([named().at(-1), received.at(-1)!.forced, one.count]).toEqual([B, true, 2]);
  });

  it('fails all who wait together, and is asked anew by whoever comes later', async () => {
    const one = source('nothing');
    const ask = of(one);
    const waiting = [ask({ awaited: true }), ask({ awaited: true })].map(failureOf);
    await clock.advance(0);
    one.questions[0]!.fail(failed);
    await clock.advance(0);
    expect(waiting.map(({ error }) => error)).toEqual([failed, failed]);
    one.says = [A];
    await ask({ awaited: true });
    expect([one.count, named()]).toEqual([2, [A]]);
  });

  it('is asked again by each who waits where its questions may overlap', async () => {
    const one = source('nothing', { overlapping: true });
    const ask = of(one);
    const waiting = [ask({ awaited: true }), ask({ awaited: true })];
    await clock.advance(0);
    for (const question of one.questions) question.answer(A);
    await Promise.all(waiting);
    expect(one.count).toBe(2);
  });

  it.each([
    [false, false, 1],
    [false, true, 1],
    [true, false, 1],
    [true, true, 2],
  ])('is asked on schedule (overlapping %j, pressing %j) so often: %d', async (overlapping, pressing, count) => {
    const one = source('nothing', { overlapping });
    const ask = of(one);
    for (let i = 0; i < 2; i++) ask({ pressing }).catch(() => {});
    await clock.advance(0);
    expect(one.count).toBe(count);
  });

  it('is not heard once a later question has been answered', async () => {
    const one = source('nothing', { overlapping: true });
    const ask = of(one);
    const waiting = [ask({ awaited: true }), ask({ awaited: true })];
    await clock.advance(0);
    const [early, late] = one.questions;
    late!.answer(B);
    await clock.advance(0);
    early!.answer(A);
    await Promise.all(waiting);
    expect(named()).toEqual([B]);
    expect(received[0]!.isLatest()).toBe(true);
    one.says = [A];
    await ask({ awaited: true });
    expect(received.map((each) => each.isLatest())).toEqual([false, true]);
  });
});

describe('a source with a quota', () => {
  const quota = { asked: 'on-suspicion', name: 'api' } as const;

  it('is asked by callers who wait, which costs it no turn, and not while all is well', async () => {
    const api = source([A], quota);
    const ask = of(source([A]), api);
    await ask({ awaited: true });
    await ask();
    expect(api.count).toBe(1);
    await ask({ troubled: true });
    await clock.advance(1_000);
    await ask({ troubled: true });
    expect(api.count).toBe(2);
  });

  it('is left to rest after a failure by callers who wait, but not by hand', async () => {
    const api = source(throttled, quota);
    const ask = of(source([A]), api);
    await ask({ awaited: true });
    await clock.advance(4_749);
    await ask({ awaited: true });
    expect(api.count).toBe(1);
    await clock.advance(1);
    await ask({ awaited: true });
    expect(api.count).toBe(2);
    await ask({ forced: true, awaited: true });
    expect(api.count).toBe(3);
  });

  it('is asked while it rests where nobody else could say anything to a caller who waits', async () => {
    const api = source(throttled, quota);
    const ask = of(api);
    await expect(ask({ awaited: true })).rejects.toBe(throttled);
    await expect(ask({ awaited: true })).rejects.toBe(throttled);
    expect(api.count).toBe(2);
  });
});

describe('a source that may not be asked', () => {
  it('steps aside, which is told once; by hand it is asked, and an answer brings it back', async () => {
    const [dns, api] = [source([A]), source(unauthorized, { name: 'api' })];
    const ask = of(dns, api);
    await ask({ awaited: true });
    for (let i = 0; i < 3; i++) await ask({ awaited: true, troubled: true });
    expect([api.count, aside]).toEqual([1, ['api']]);
    await ask({ forced: true, awaited: true });
    expect([api.count, aside]).toEqual([2, ['api']]);
    api.says = [B];
    await ask({ forced: true, awaited: true });
    await ask();
    expect(api.count).toBe(4);
  });

  it('is no reason to step aside where it fails with anything else', async () => {
    const api = source(throttled, { name: 'api' });
    const ask = of(source([A]), api);
    for (let i = 0; i < 3; i++) await ask({ awaited: true });
    expect([api.count, aside]).toEqual([3, []]);
  });
});

describe('the help that a source gets with its question', () => {
  it('is the CNAME chain as the first of the others knows it, never its own', async () => {
    const [one, two, three] = [source([A]), source([A]), source([A])];
    const chains: (readonly string[])[] = [];
    one.chain = async () => ['its own'];
    two.chain = async () => [];
    three.chain = async () => ['ec2-75-101-137-243.compute-1.amazonaws.com'];
    const resolve = one.resolve.bind(one);
    one.resolve = async (name: string, signal: AbortSignal, help?: { chain(): Promise<readonly string[]> }) => {
      chains.push(await help!.chain());
      return await resolve(name, signal);
    };
    await of(one, two, three)({ awaited: true });
    await clock.advance(0);
    expect(chains).toEqual([['ec2-75-101-137-243.compute-1.amazonaws.com']]);
    three.chain = () => Promise.reject(failed);
    await of(one, two, three)({ awaited: true });
    await clock.advance(0);
    expect(chains.at(-1)).toEqual([]);
  });
});
