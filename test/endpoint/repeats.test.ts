import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdoptRules, type Condition, type Observation, observe, unanswered } from '../../src/endpoint/adopt.js';
import { API, at, DNS, RULES, run, SECOND, type Seen, seenAt, step, type Step, THIRD } from './adopt-support.js';

/** What each witness said last, and when that was last anything but the past; who ever named what. */
class Record {
  readonly last: Map<string, readonly string[]> = new Map();
  readonly news: Map<string, number> = new Map();
  readonly everNamed: Map<string, Set<string>> = new Map();
  readonly leftFor: Map<string, readonly string[]> = new Map();
  /** The how-manyth step brought it. */
  readonly cameWith: Map<string, number> = new Map();

  hear({ word, others, now }: Observation): void {
    for (const { witness, addresses } of [...others, word]) {
      this.last.set(witness.id, addresses);
      if (!addresses.every((each) => this.leftFor.has(each))) this.news.set(witness.id, now);
      for (const each of addresses) this.everNamed.set(each, (this.everNamed.get(each) ?? new Set()).add(witness.id));
    }
  }

  /** Who says otherwise than that this address comes back, and said anything new within the time. */
  against(address: string, current: readonly string[], now: number, millis: number): string[] {
    const came = (each: string): number => this.cameWith.get(each) ?? -1;
    const newer = [...current, ...(this.leftFor.get(address) ?? [])].filter((each) => came(each) > came(address));
    return newer
      .flatMap((each) => [...(this.everNamed.get(each) ?? [])])
      .filter((id) => this.last.get(id)?.includes(address) !== true)
      .filter((id) => now - (this.news.get(id) ?? -Infinity) <= millis);
  }
}

describe('any words of any servers', () => {
  it('bring back an address that was left for a newer one only if all agree that ever named the newer one', () => {
    const parts = {
      condition: fc.constantFrom<Condition>('usable', 'starting', 'dead'),
      forced: fc.constant(false),
    };
    fc.assert(
      fc.property(fc.array(step(parts), { maxLength: 60 }), (steps) => {
        const record = new Record();
        for (const [i, { before, after, seen, verdict }] of run(steps).entries()) {
          record.hear(seen);
          if (verdict.kind !== 'adopted') continue;
          const ttlMillis = Math.min(300_000, seen.word.ttlMillis ?? 60_000);
          for (const each of verdict.added) {
            if (!record.leftFor.has(each) || seen.condition === 'dead') continue;
            expect(record.against(each, before.current, seen.now, ttlMillis)).toEqual([]);
          }
          for (const each of verdict.added) {
            record.leftFor.delete(each);
            record.cameWith.set(each, i);
          }
          // Left out of an answer that names no other is not left for a newer one.
          if (verdict.added.length > 0) for (const each of verdict.dropped) record.leftFor.set(each, verdict.added);
          expect(after.current.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: Number(process.env['EIP_POOL_SCHEDULES'] ?? 2_000) },
    );
  });
});

describe('an answer that only repeats what was left', () => {
  const [old, fresh] = [['10.0.0.1'], ['10.0.0.2']];
  /** The first server has moved on, long enough ago that no flicker holds anything back. */
  const movedOn = [at(old, 0), at(old, 20_000), at(fresh, 1_000), at(fresh, 60_000)];
  const last = (...steps: readonly Step[]): Seen => run([...movedOn, ...steps]).at(-1)!;
  /** The others say so, with a TTL of 30 s unless told otherwise. */
  const repeated = (after: number, changes: Partial<Step> = {}): Step =>
    at(old, after, { by: SECOND, ttlMillis: 30_000, ...changes });

  it.each([
    ['another server of the same source', SECOND],
    ['another source', API],
  ])('is no news from %s, though nobody has heard of it before', (_who, by) => {
    expect(last(repeated(1_000, { by })).verdict).toEqual({ kind: 'held', held: old });
  });

  it.each([
    ['does not answer', 30_000, { silent: [DNS] }],
    [
      'does not answer, and the TTL is that of a cache that keeps it for longer than any may',
      300_000,
      { silent: [DNS], ttlMillis: 86_400_000 },
    ],
    ['does not answer, and the TTL is 0', 10_000, { silent: [DNS], ttlMillis: 0 }],
    ['does not answer, and the TTL is not known', 60_000, { silent: [DNS], ttlMillis: null }],
    ['is not asked', 300_000, {}],
  ] as const)('is held while the one that knew better %s for %d ms, and then believed', (_what, millis, changes) => {
    const first = repeated(1_000, changes);
    expect(last(first, repeated(millis, changes)).verdict.kind).toBe('held');
    expect(last(first, repeated(millis + 1, changes)).after.current).toEqual(old);
  });

  it('is held for the longest TTL of those who say so', () => {
    const [one, other] = [{ silent: [DNS] }, { silent: [DNS], by: THIRD, ttlMillis: 100_000 }];
    expect(last(repeated(1_000, one), repeated(0, other), repeated(100_000, one)).verdict.kind).toBe('held');
    expect(last(repeated(1_000, one), repeated(0, other), repeated(100_001, one)).after.current).toEqual(old);
  });

  it('is held anew from each word of the one that knew better', () => {
    const silent = { silent: [DNS] };
    const again = [repeated(1_000, silent), repeated(30_000, silent), at(fresh, 0), repeated(1_000, silent)];
    expect(last(...again, repeated(30_000, silent)).verdict.kind).toBe('held');
  });

  it('is believed from each one that knew better itself', () => {
    expect(last(at(old, 1_000)).after.current).toEqual(old);
    expect(last(at(old, 1_000, { others: [{ by: SECOND, addresses: fresh }] })).verdict.kind).toBe('held');
    const agreed = last(at(old, 1_000, { others: [{ by: SECOND, addresses: fresh }] }), repeated(1_000));
    expect(agreed.after.current).toEqual(old);
  });

  it('is held for the sake of everybody who ever named the newer one, however long ago', () => {
    const once = at(fresh, 0, { by: THIRD });
    expect(last(once, at(fresh, 1_000), at(old, 1_000, { silent: [THIRD] })).verdict.kind).toBe('held');
    expect(last(at(fresh, 1_000), at(old, 1_000, { silent: [THIRD] })).after.current).toEqual(old);
  });

  it('is not held for the sake of one that cannot be asked any more, or that has named nothing but the past for long', () => {
    const once = at(fresh, 0, { by: THIRD });
    const [history] = run([...movedOn, once])
      .slice(-1)
      .map(({ after }) => after);
    const seen = { ...seenAt(200_000, at(old, 0)), askable: [DNS.id, SECOND.id] };
    expect(observe(history!, seen, RULES)[0].current).toEqual(old);

    // It said the newer one, then the one before that, and has got stuck there.
    const third = ['10.0.0.3'];
    const stuck = [at(fresh, 0, { by: THIRD }), at(third, 1_000), at(fresh, 0, { by: THIRD })];
    const saying = at(fresh, 300_001, { by: THIRD });
    expect(last(...stuck, at(old, 1_000)).verdict.kind).toBe('held');
    expect(last(...stuck, saying, at(old, 0)).after.current).toEqual(old);
  });

  it.each([
    ['refusing', 59_999],
    ['read-only', 59_999],
    ['starting', 200_000],
  ] as const)('is held where the present server is %s, for %d ms too', (condition, millis) => {
    const because = { condition, silent: [DNS], ttlMillis: 300_000 };
    expect(last(repeated(1_000, because), repeated(millis, because)).verdict.kind).toBe('held');
  });

  it('is believed once the present server has refused everybody for a minute', () => {
    const because = { condition: 'refusing' as const, silent: [DNS], ttlMillis: 300_000 };
    expect(last(repeated(1_000, because), repeated(60_000, because)).after.current).toEqual(old);
  });

  it('is believed where the present server is dead, and who knew better says nothing any more', () => {
    const dead = { condition: 'dead' as const, silent: [DNS] };
    expect(last(repeated(1_000, dead), repeated(2_000, dead)).verdict.kind).toBe('held');
    expect(last(repeated(1_000, dead), repeated(2_001, dead)).after.current).toEqual(old);
  });

  it('is not believed where the present server is dead, but a server that is preferred names it all the same', () => {
    const dead = { condition: 'dead' as const };
    expect(last(repeated(1_000, dead), at(fresh, 100, dead), repeated(100, dead)).verdict.kind).toBe('held');
    // The other way round the preferred one is believed.
    const other = [at(fresh, 0, { by: SECOND }), at(old, 0, { ...dead, others: [{ by: SECOND, addresses: fresh }] })];
    expect(last(...other).after.current).toEqual(old);
  });

  it('is believed by hand, where who knew better does not answer now', () => {
    expect(last(repeated(1_000, { forced: true })).verdict.kind).toBe('held');
    expect(last(repeated(1_000, { forced: true, silent: [DNS] })).after.current).toEqual(old);
  });

  it('is believed by hand, where the source that knew better has failed', () => {
    const [{ after }] = run([...movedOn, repeated(1_000, { by: API })]).slice(-1) as [Seen];
    const seen = seenAt(200_000, repeated(0, { by: API, forced: true }));
    expect(observe(after, seen, RULES)[1].kind).toBe('held');
    expect(observe(unanswered(after, DNS.source, 199_000), seen, RULES)[0].current).toEqual(old);
  });

  it('counts what is held anew where a source with a quota has failed long ago and was not asked since', () => {
    const api = [at(fresh, 0, { by: API })];
    const [{ after }] = run([...movedOn, ...api]).slice(-1) as [Seen];
    const failed = unanswered(after, API.source, 90_000);
    const seen = (now: number): Observation => seenAt(now, at(old, 0, { ttlMillis: 30_000 }));
    const [claimed] = observe(failed, seen(200_000), RULES);
    expect(observe(claimed, seen(240_000), RULES)[1].kind).toBe('held');
    expect(observe(unanswered(claimed, API.source, 239_000), seen(240_000), RULES)[0].current).toEqual(old);
  });
});

describe('an address that was never there', () => {
  const [old, fresh] = [['10.0.0.1'], ['10.0.0.2']];

  it('is news from a server that said something else before', () => {
    const steps = [at(old, 0, { others: [{ by: SECOND, addresses: old }] }), at(fresh, 1_000, { by: SECOND })];
    expect(run(steps).at(-1)!.after.current).toEqual(fresh);
  });

  it('is none from one that comes after another, if it is all that it ever said', () => {
    const silent = { by: SECOND, silent: [DNS], ttlMillis: 30_000 };
    const steps = [at(fresh, 0), at(old, 1_000, silent), at(old, 30_000, silent)];
    expect(run(steps).at(-1)!.verdict).toEqual({ kind: 'held', held: old });
    expect(run([...steps, at(old, 1, silent)]).at(-1)!.after.current).toEqual(old);
  });

  it('is news from one that comes before the others, and from another source', () => {
    expect(run([at(old, 0, { by: SECOND }), at(fresh, 1_000)]).at(-1)!.after.current).toEqual(fresh);
    expect(run([at(old, 0), at(fresh, 1_000, { by: API })]).at(-1)!.after.current).toEqual(fresh);
  });
});

describe('a set of addresses', () => {
  const rules: AdoptRules = { ...RULES, mode: 'set' };
  const [a, b] = ['10.0.0.1', '10.0.0.2'];
  const dropped = [at([a, b], 0), at([b], 5_000), at([b], 5_001)];

  it('takes back what it dropped from the server that dropped it, and from one that comes before', () => {
    expect(run([...dropped, at([a], 1_000)], rules).at(-1)!.after.current).toEqual([b, a]);
    const second = dropped.map((each) => ({ ...each, by: SECOND }));
    expect(run([...second, at([a], 1_000)], rules).at(-1)!.after.current).toEqual([b, a]);
  });

  it('does not take it back from one that comes after, for as long as the first one may know better', () => {
    const stale = (after: number): Step => at([a, b], after, { by: SECOND, silent: [DNS], ttlMillis: 30_000 });
    expect(run([...dropped, stale(1_000), stale(30_000)], rules).at(-1)!.after.current).toEqual([b]);
    expect(run([...dropped, stale(1_000), stale(30_001)], rules).at(-1)!.after.current).toEqual([b, a]);
  });
});
