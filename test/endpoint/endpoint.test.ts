import { describe, expect, it } from 'vitest';
import { A, B, failureOf, Followed, PUBLIC, ScriptedResolver, serviceAt } from './scripted-resolver.js';

const failed = new Error('SERVFAIL');

describe('an error or an empty answer', () => {
  it.each([
    ['an error', failed],
    ['an empty answer', []],
    ['an answer without an address in it', ['not an address', '10.0.0.256']],
  ])('is no move: after %s the last good answer stays and grows older', async (_what, says) => {
    const followed = new Followed();
    await followed.start();
    followed.source.says = says;
    await followed.clock.advance(60_000);
    expect(followed.addresses).toEqual([A]);
    expect(followed.endpoint.snapshot()).toMatchObject({ state: 'steady', generation: 0, answerAgeMillis: 60_000 });
    expect(followed.told('resolveError').length).toBeGreaterThan(50);
    expect(followed.told('move')).toEqual([]);
  });

  it('is what a caller gets who waits for the first answer, and the next one is asked for him', async () => {
    const { endpoint, source, clock } = new Followed(failed);
    await expect(endpoint.ready()).rejects.toBe(failed);
    source.says = [A];
    await clock.advance(100);
    expect(await endpoint.ready()).toMatchObject({ addresses: [A], ttlSeconds: 20, source: 'scripted' });
  });

  it('of one source is no failure while another one knows the name', async () => {
    const { endpoint } = new Followed(failed, {}, (clock) => [new ScriptedResolver(clock, [A])]);
    expect((await endpoint.ready()).addresses).toEqual([A]);
  });
});

describe('the age of the last good answer', () => {
  it('may grow up to maxAnswerAgeMillis; from then on new connections are refused until there is a fresh one', async () => {
    const followed = new Followed([A], { maxAnswerAgeMillis: 5_000 });
    const { endpoint, source, clock } = followed;
    await followed.start();
    await clock.advance(100);
    source.says = failed;
    await clock.advance(5_000);
    expect(endpoint.refusal).toBeNull();
    await clock.advance(1);
    expect(endpoint.refusal).toMatchObject({ code: 'ANSWER_TOO_OLD', cause: failed });
    expect(endpoint.refusal?.message).toContain('maxAnswerAgeMillis');
    expect(endpoint.current?.addresses).toEqual([A]);
    source.says = [A];
    await clock.advance(1_000);
    expect(endpoint.refusal).toBeNull();
  });
});

describe('a public answer', () => {
  it('at the start fails at once', async () => {
    const { endpoint, told } = own(new Followed([PUBLIC]));
    await expect(endpoint.ready()).rejects.toMatchObject({ code: 'PUBLIC_ADDRESS', addresses: [PUBLIC] });
    expect(endpoint.current).toBeNull();
    expect(told('warning')).toEqual([]);
  });

  it('says whether the name encodes that very address', async () => {
    const { endpoint, source } = new Followed([PUBLIC]);
    source.chain = async () => ['ec2-75-101-137-243.compute-1.amazonaws.com'];
    await expect(endpoint.ready()).rejects.toThrow('encodes this very address');
  });

  it('later is no move: it is told once, the last good answer stays, and new connections are refused', async () => {
    const followed = new Followed();
    const { endpoint, source, clock, told } = own(followed);
    await followed.start();
    source.says = [PUBLIC];
    await clock.advance(10_000);
    expect(followed.addresses).toEqual([A]);
    expect(endpoint.generation).toBe(0);
    expect(told('warning')).toMatchObject([{ code: 'PUBLIC_ADDRESS' }]);
    expect(endpoint.refusal).toMatchObject({ code: 'PUBLIC_ADDRESS' });
    source.says = [B];
    await clock.advance(1_000);
    expect(followed.addresses).toEqual([B]);
    expect(endpoint.refusal).toBeNull();
  });

  it('is taken where it is allowed, and what is allowed is taken from a mixed one', async () => {
    const mixed = [PUBLIC, A];
    expect(await new Followed(mixed).endpoint.ready()).toMatchObject({ addresses: [A] });
    expect(await new Followed(mixed, { allow: 'any' }).endpoint.ready()).toMatchObject({ addresses: mixed });
    const allow = [`${PUBLIC}/32`];
    expect(await new Followed(mixed, { allow }).endpoint.ready()).toMatchObject({ addresses: [PUBLIC] });
  });

  it('whose CNAME chain is slow to find does not outweigh a later good answer', async () => {
    const followed = new Followed([A], {}, undefined, { overlapping: true });
    const { endpoint, source, clock, told } = own(followed);
    await followed.start();
    endpoint.waited = true;
    let found: (chain: readonly string[]) => void = () => {};
    source.chain = async () => await new Promise((resolve) => (found = resolve));
    source.says = [PUBLIC];
    await clock.advance(100);
    source.says = [B];
    await clock.advance(1_000);
    found([]);
    await clock.advance(0);
    expect(endpoint.refusal).toBeNull();
    expect(told('warning')).toEqual([]);
    expect(followed.addresses).toEqual([B]);
  });

  it.each([
    ['rejects', () => Promise.reject(failed)],
    ['never answers', () => new Promise<never>(() => {})],
    ['returns no list', async () => null as never],
  ])('is refused also when the resolver’s chain %s', async (_what, chain) => {
    const followed = new Followed([PUBLIC]);
    followed.source.chain = chain;
    const first = failureOf(followed.endpoint.ready());
    await followed.clock.advance(1_000);
    expect(first.error).toMatchObject({ code: 'PUBLIC_ADDRESS' });
    followed.source.says = [A];
    await followed.clock.advance(1_000);
    expect(followed.addresses).toEqual([A]);
  });
});

describe('refresh()', () => {
  it('asks at once, and starts an endpoint that nobody has used', async () => {
    const { endpoint, source, clock } = new Followed();
    expect((await endpoint.refresh()).addresses).toEqual([A]);
    const before = source.count;
    source.says = [B];
    expect((await endpoint.refresh()).addresses).toEqual([B]);
    expect(source.count).toBe(before + 1);
    expect(source.questions.at(-1)!.at).toBe(clock.now());
  });

  it('asks a source with a quota too', async () => {
    const others: ScriptedResolver[] = [];
    const followed = new Followed([A], {}, (clock) => {
      others.push(new ScriptedResolver(clock, [A], { asked: 'on-suspicion' }));
      return others;
    });
    await followed.start();
    await followed.endpoint.refresh();
    expect(others[0]!.count).toBe(2);
  });

  it('takes what is said to its own question, not to one that was under way', async () => {
    const followed = new Followed();
    await followed.movedOn();
    followed.source.says = 'nothing';
    await followed.clock.advance(1_000);
    const refreshed = followed.endpoint.refresh();
    followed.source.says = [A];
    followed.source.questions.at(-1)!.answer(A);
    expect((await refreshed).addresses).toEqual([A]);
    expect(followed.addresses).toEqual([A]);
  });

  it('rejects with what the source failed with, and leaves the answer as it was', async () => {
    const followed = new Followed();
    await followed.start();
    followed.source.says = failed;
    await expect(followed.endpoint.refresh()).rejects.toBe(failed);
    expect(followed.addresses).toEqual([A]);
  });
});

describe('a process that was suspended', () => {
  it.each(['the watch was late', 'the wall clock jumped'])('asks once before its next lease, where %s', async (how) => {
    const followed = new Followed();
    const { endpoint, source, clock } = followed;
    await followed.start();
    await clock.advance(5_000);
    expect(endpoint.slept).toBe(false);
    if (how === 'the watch was late') clock.suspend(3_100);
    else clock.skipWall(3_100);
    source.says = [B];
    const before = source.count;
    expect(endpoint.slept).toBe(true);
    await Promise.all([endpoint.wake(), endpoint.wake(), endpoint.wake()]);
    expect(source.count).toBe(before + 1);
    expect(followed.addresses).toEqual([B]);
    expect(endpoint.slept).toBe(false);
  });

  it('leases all the same where nobody answers, lookupTimeoutMillis later at the latest', async () => {
    const followed = new Followed([A], { lookupTimeoutMillis: 400 });
    const { endpoint, source, clock } = followed;
    await followed.start();
    source.says = 'nothing';
    clock.suspend(60_000);
    const woken = failureOf(endpoint.wake());
    await clock.advance(399);
    expect(woken.done).toBe(false);
    await clock.advance(1);
    expect(woken).toEqual({ done: true, error: undefined });
    expect([followed.addresses, endpoint.slept]).toEqual([[A], false]);
  });

  it('asks again within that time where the question fails at once, as without a file descriptor', async () => {
    const followed = new Followed();
    const { endpoint, source, clock } = followed;
    await followed.start();
    source.says = failed;
    clock.suspend(60_000);
    const woken = failureOf(endpoint.wake());
    await clock.advance(500);
    expect([woken.done, endpoint.slept]).toEqual([false, true]);
    source.says = [B];
    await clock.advance(100);
    expect([woken.done, followed.addresses, endpoint.slept]).toEqual([true, [B], false]);
  });

  it('has not slept when its watch is only a little late', async () => {
    const followed = new Followed();
    await followed.start();
    followed.clock.suspend(2_900);
    followed.clock.skipWall(-2_900);
    expect(followed.endpoint.slept).toBe(false);
  });

  it.each([
    ['after the next lease', false, false],
    ['after its watch and the next lease', true, false],
    ['before the next lease', false, true],
  ])('is not awake by the answer to a question of before, which comes %s', async (_, watched, answered) => {
    for (const overlapping of [true, false]) {
      const { clock, source, endpoint, ...followed } = new Followed([A], {}, undefined, { overlapping });
      await endpoint.ready();
      source.says = 'nothing';
      await clock.advance(500);
      const before = source.count;
      source.says = [B];
      if (watched) clock.suspend(60_000);
      else clock.skipWall(60_000);
      if (watched) await clock.advance(0);
      if (answered) source.questions[before - 1]!.answer(A);
      if (answered) await clock.advance(0);
      const woken = failureOf(endpoint.wake());
      if (!answered) source.questions[before - 1]!.answer(A);
      await clock.advance(0);
      expect([endpoint.slept, endpoint.current!.addresses, woken.done]).toEqual([false, [B], true]);
      expect(followed.events.filter(({ name }) => name === 'move').length).toBe(1);
      endpoint.close();
    }
  });

  it('is awake again once its watch has had an answer, without a lease', async () => {
    const followed = new Followed();
    await followed.start();
    followed.clock.suspend(60_000);
    await followed.clock.advance(0);
    expect(followed.endpoint.slept).toBe(false);
  });
});

describe('close()', () => {
  const closed = { code: 'ENDPOINT_CLOSED' };

  it('settles everybody who waits for the first answer, whatever the resolver does', async () => {
    const { endpoint, clock } = new Followed('nothing');
    const waiting = [endpoint.ready(), endpoint.ready(), endpoint.refresh()].map(failureOf);
    const looked = failureOf(
      new Promise((resolve, reject) => {
        endpoint.lookup('db.example.com', {}, (error, address) => (error === null ? resolve(address) : reject(error)));
      }),
    );
    await clock.advance(500);
    endpoint.close();
    await clock.advance(0);
    for (const { error } of [...waiting, looked]) expect(error).toMatchObject(closed);
    expect(clock.delays).toEqual([]);
  });

  it('settles who waits while the chain of a public answer is looked for', async () => {
    const { endpoint, source, clock, told } = own(new Followed([PUBLIC]));
    source.chain = () => new Promise(() => {});
    const waiting = failureOf(endpoint.ready());
    await clock.advance(0);
    endpoint.close();
    await clock.advance(0);
    expect(waiting.error).toMatchObject(closed);
    expect(told('warning')).toEqual([]);
  });

  it('while it holds an answer ends the loop, and aborts the question that is out', async () => {
    const followed = new Followed();
    const { endpoint, source, clock } = followed;
    await followed.start();
    source.says = 'nothing';
    await clock.advance(100);
    endpoint.close();
    await clock.advance(100_000);
    expect(source.count).toBe(2);
    expect(source.questions[1]!.signal.aborted).toBe(true);
    expect(clock.delays).toEqual([]);
    expect(endpoint.refusal).toMatchObject(closed);
  });

  it('settles who waits for a suspended process to wake, and for refresh()', async () => {
    const followed = new Followed();
    await followed.start();
    followed.source.says = 'nothing';
    const woken = failureOf(followed.endpoint.wake());
    const refreshed = failureOf(followed.endpoint.refresh());
    await followed.clock.advance(0);
    followed.endpoint.close();
    await followed.clock.advance(0);
    expect(woken).toEqual({ done: true, error: undefined });
    expect(refreshed.error).toMatchObject(closed);
  });

  it('is awake, and stays so, when it is closed after its process was suspended', async () => {
    const followed = new Followed();
    const { endpoint, clock } = followed;
    await followed.start();
    endpoint.close();
    for (const times of [1, 2]) {
      clock.suspend(60_000);
      await endpoint.wake();
      expect([times, endpoint.slept]).toEqual([times, false]);
    }
  });

  it.each(['suspect', 'down'] as const)('while it is %s leaves no timer', async (state) => {
    const followed = new Followed();
    await followed.start();
    if (state === 'down') followed.endpoint.report(serviceAt(A), 'refusing', failed);
    else followed.endpoint.suspect(serviceAt(A), failed);
    expect(followed.endpoint.state).toBe(state);
    followed.endpoint.close();
    await followed.clock.advance(1_000);
    expect([followed.endpoint.state, followed.clock.delays]).toEqual(['closed', []]);
  });

  it('is final: whoever asks afterwards is told, and nothing starts again', async () => {
    const { endpoint, source, clock } = new Followed();
    endpoint.close();
    endpoint.close();
    endpoint.start();
    await expect(endpoint.ready()).rejects.toMatchObject(closed);
    await expect(endpoint.refresh()).rejects.toMatchObject(closed);
    endpoint.report(serviceAt(A), 'dead', failed);
    await clock.advance(5_000);
    expect(source.count).toBe(0);
  });
});

function own(followed: Followed) {
  const { endpoint, source, clock } = followed;
  const told = (...args: Parameters<Followed['told']>) => followed.told(...args);
  return { endpoint, source, clock, told };
}
