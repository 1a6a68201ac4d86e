import { describe, expect, it } from 'vitest';
import { A, B, Followed, ScriptedResolver, serviceAt } from './scripted-resolver.js';

describe('an endpoint that is steady', () => {
  it('asks at once, and then every intervalMillis', async () => {
    const { clock, source, start } = bound(new Followed());
    await start();
    expect(source.count).toBe(1);
    // The second question was due before the first one had an answer.
    await clock.advance(5_500);
    expect(source.gaps().slice(1)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
  });

  it('keeps to its interval give or take a tenth, by chance', async () => {
    const { clock, source, start } = bound(new Followed([A], { intervalMillis: 2_000 }));
    await start();
    clock.nextRandom = 0;
    await clock.advance(100 + 1_800);
    clock.nextRandom = 0.999_999;
    await clock.advance(1_800);
    await clock.advance(2_200);
    expect(source.gaps(1).map(Math.round)).toEqual([1_800, 1_800, 2_200]);
  });

  it('asks a source with a quota only at the start', async () => {
    const quota = (clock: Followed['clock']) => [new ScriptedResolver(clock, [A], { asked: 'on-suspicion' })];
    const others: ScriptedResolver[] = [];
    const { clock, start } = bound(new Followed([A], {}, (made) => (others.push(...quota(made)), others)));
    await start();
    await clock.advance(10_000);
    expect(others[0]!.count).toBe(1);
  });

  it('sets no timer that keeps the process alive while nobody waits', async () => {
    const { clock, start } = bound(new Followed());
    await start();
    expect(clock.delays).toHaveLength(1);
    expect(clock.awaited).toBe(0);
  });
});

describe('an endpoint that has reason to suspect', () => {
  it('asks at once, every suspectIntervalMillis for 30 s, and then ever less down to its steady pace', async () => {
    const { clock, source, start, endpoint } = bound(new Followed());
    await start();
    const from = source.count;
    endpoint.suspect(serviceAt(A), new Error('cut'));
    expect(endpoint.state).toBe('suspect');
    await clock.advance(60_000);
    const gaps = source.gaps(from).map(Math.round);
    expect(source.questions[from]!.at).toBe(1_000);
    expect(gaps.slice(0, 299)).toEqual(Array(299).fill(100));
    expect([...new Set(gaps)]).toEqual([100, 200, 400, 800, 1_000]);
  });

  it('asks one with a quota after a random 0 to 2 s, and then ever less often', async () => {
    const others: ScriptedResolver[] = [];
    const { clock, start, endpoint } = bound(
      new Followed([A], {}, (made) => {
        others.push(new ScriptedResolver(made, [A], { asked: 'on-suspicion' }));
        return others;
      }),
    );
    await start();
    await clock.advance(1_000);
    const from = clock.now();
    endpoint.suspect(serviceAt(A), new Error('cut'));
    await clock.advance(150_000);
    const times = others[0]!.questions.slice(1).map(({ at }) => at - from);
    const due = [1_000, 11_000, 31_000, 61_000, 91_000, 121_000];
    expect(times).toHaveLength(due.length);
    // It is asked with the next question to all, up to a second later; the lateness adds up.
    times.forEach((time, i) => {
      expect(time).toBeGreaterThanOrEqual(due[i]!);
      expect(time).toBeLessThan(due[i]! + 1 + 1_000 * i);
    });
  });

  it.each([
    [0, 0],
    [0.25, 500],
    [0.999_999, 2_000],
  ])('spreads that first question by chance: %d is %d ms', async (random, millis) => {
    const others: ScriptedResolver[] = [];
    const { clock, start, endpoint } = bound(
      new Followed([A], {}, (made) => {
        others.push(new ScriptedResolver(made, [A], { asked: 'on-suspicion' }));
        return others;
      }),
    );
    await start();
    await clock.advance(1_000);
    const from = clock.now();
    clock.nextRandom = random;
    endpoint.suspect(serviceAt(A), new Error('cut'));
    clock.nextRandom = 0.5;
    await clock.advance(3_000);
    const first = others[0]!.questions[1]!.at - from;
    expect(others[0]!.count).toBe(2);
    expect(first).toBeGreaterThanOrEqual(Math.floor(millis * 0.999));
    expect(first).toBeLessThanOrEqual(millis + 110);
  });

  it('moves as soon as one of its sources names the new address', async () => {
    const others: ScriptedResolver[] = [];
    const followed = new Followed([A], {}, (made) => {
      others.push(new ScriptedResolver(made, [A], { asked: 'on-suspicion', name: 'api' }));
      return others;
    });
    const { clock, start, endpoint } = bound(followed);
    await start();
    await clock.advance(1_000);
    others[0]!.says = [B];
    clock.nextRandom = 0;
    endpoint.suspect(serviceAt(A), new Error('cut'));
    await clock.advance(0);
    expect(followed.addresses).toEqual([B]);
    expect(followed.told('move')[0]).toMatchObject({ from: [A], to: [B], source: 'api', generation: 1 });
  });

  it.each([
    ['may not be', 'waits', 2],
    ['may not be', 'does not wait', 2],
    ['may be', 'does not wait', 2],
    ['may be', 'waits', 11],
  ])('asks a source that %s asked again before it answers, where somebody %s, %d times', async (may, waits, count) => {
    const overlapping = may === 'may be';
    const { clock, start, endpoint, source } = bound(new Followed([A], {}, undefined, { overlapping }));
    await start();
    endpoint.waited = waits === 'waits';
    source.says = 'nothing';
    endpoint.suspect(serviceAt(A), new Error('cut'));
    await clock.advance(950);
    expect(source.count).toBe(count);
  });

  it('begins anew to ask often when the name moves, since the new server is unproven too', async () => {
    const { clock, source, start, endpoint } = bound(new Followed());
    await start();
    endpoint.suspect(serviceAt(A), new Error('cut'));
    await clock.advance(45_000);
    source.says = [B];
    await clock.advance(1_000);
    const from = source.count;
    expect(endpoint.state).toBe('suspect');
    await clock.advance(20_000);
    expect(new Set(source.gaps(from).map(Math.round))).toEqual(new Set([100]));
  });

  it('is steady again as soon as a server works, and says for how long it was not', async () => {
    const { clock, start, endpoint, told } = bound(new Followed());
    await start();
    endpoint.suspect(serviceAt(A), new Error('cut'));
    await clock.advance(700);
    endpoint.report(serviceAt(A), 'usable');
    expect(endpoint.state).toBe('steady');
    expect(told('recovered')).toEqual([{ address: A, afterMillis: 700 }]);
  });

  it('is down while no present address takes a connection, and only suspect while one does', async () => {
    const { start, endpoint, told } = bound(new Followed([A, B]));
    await start();
    const refused = new Error('refused');
    endpoint.report(serviceAt(A), 'refusing', refused);
    expect(endpoint.state).toBe('suspect');
    endpoint.report(serviceAt(B), 'refusing', refused);
    expect(endpoint.state).toBe('down');
    expect(told('suspect')).toEqual([{ cause: refused, address: A }]);
    expect(told('down')).toEqual([{ cause: refused, addresses: [A, B] }]);
  });

  it('is never down for a server that only reads', async () => {
    const { start, endpoint, told } = bound(new Followed([A, B]));
    await start();
    endpoint.report(serviceAt(A), 'read-only', new Error('a standby'));
    endpoint.report(serviceAt(B), 'read-only', new Error('a standby'));
    expect(endpoint.state).toBe('suspect');
    endpoint.report(serviceAt(B), 'refusing', new Error('refused'));
    expect([endpoint.state, told('down')]).toEqual(['suspect', []]);
    endpoint.report(serviceAt(A), 'refusing', new Error('refused'));
    expect(endpoint.state).toBe('down');
  });

  it('is steady at a sign of life, and down again at the next failure', async () => {
    const { start, endpoint, told } = bound(new Followed());
    await start();
    endpoint.report(serviceAt(A), 'dead', new Error('silent'));
    expect(endpoint.state).toBe('down');
    endpoint.noteLife(serviceAt(A));
    expect(endpoint.state).toBe('steady');
    endpoint.report(serviceAt(A), 'refusing', new Error('refused'));
    expect([endpoint.state, told('recovered').length]).toEqual(['down', 1]);
  });

  it('takes no heed of what is said of addresses that it has left', async () => {
    const { start, endpoint } = bound(new Followed());
    await start();
    endpoint.report(serviceAt(B), 'dead', new Error('old news'));
    endpoint.suspect(serviceAt(B), new Error('old news'));
    expect(endpoint.state).toBe('steady');
  });
});

describe('a question that is not answered', () => {
  it('never wedges the loop: it ends at lookupTimeoutMillis and the next one is asked', async () => {
    const { clock, start, source, told } = bound(new Followed([A], { lookupTimeoutMillis: 1_500 }));
    await start();
    source.says = 'nothing';
    await clock.advance(3_000);
    expect(source.count).toBe(3);
    expect(source.questions[1]!.signal.aborted).toBe(true);
    expect(told('resolveError')).toMatchObject([{ error: { code: 'LOOKUP_TIMEOUT' }, source: 'scripted' }]);
    source.says = [B];
    await clock.advance(3_000);
    expect(told('move')).toHaveLength(1);
  });

  it('is not taken into account when its answer comes after all', async () => {
    const followed = new Followed();
    const { clock, start, source } = bound(followed);
    await start();
    source.says = 'nothing';
    await clock.advance(2_500);
    source.questions[1]!.answer(B);
    await clock.advance(0);
    expect(followed.addresses).toEqual([A]);
  });

  it('does not undo what a later question has found out', async () => {
    const followed = new Followed([A], { lookupTimeoutMillis: 10_000 }, undefined, { overlapping: true });
    const { clock, start, source, endpoint } = bound(followed);
    await start();
    endpoint.waited = true;
    source.says = 'nothing';
    await clock.advance(2_000);
    const [, early, late] = source.questions;
    late!.answer(B);
    await clock.advance(0);
    early!.answer(A);
    await clock.advance(0);
    expect(followed.addresses).toEqual([B]);
    expect(followed.endpoint.generation).toBe(1);
  });

  it('of a source that throws at once counts as its failure', async () => {
    const followed = new Followed();
    const { clock, start, source, told } = bound(followed);
    await start();
    source.resolve = () => {
      throw new TypeError('broken');
    };
    await clock.advance(2_000);
    expect(followed.addresses).toEqual([A]);
    expect(told('resolveError')).toMatchObject([{ error: { message: 'broken' } }, { error: { message: 'broken' } }]);
  });
});

/** So that its parts can be taken apart. */
function bound(followed: Followed) {
  const { clock, source, endpoint } = followed;
  return {
    clock,
    source,
    endpoint,
    start: () => followed.start(),
    told: (...args: Parameters<Followed['told']>) => followed.told(...args),
  };
}
