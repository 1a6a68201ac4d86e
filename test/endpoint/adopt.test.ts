import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdoptRules,
  type Condition,
  emptyHistory,
  type History,
  type Observation,
  observe,
  type Verdict,
} from '../../src/endpoint/adopt.js';

const RULES: AdoptRules = { mode: 'single', returnAfterMillis: 10_000, quarantineMillis: 60_000 };
const CONDITIONS: readonly Condition[] = ['usable', 'refusing', 'starting', 'read-only', 'dead'];

interface Step {
  readonly addresses: readonly string[];
  readonly after: number;
  readonly condition: Condition;
  readonly forced: boolean;
}

const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4');
const step = (parts: Partial<{ [K in keyof Step]: fc.Arbitrary<Step[K]> }> = {}): fc.Arbitrary<Step> =>
  fc.record({
    addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 3 }),
    after: fc.integer({ min: 0, max: 15_000 }),
    condition: fc.constantFrom(...CONDITIONS),
    forced: fc.boolean(),
    ...parts,
  });
const calm = { condition: fc.constant<Condition>('usable'), forced: fc.constant(false) };

interface Seen {
  readonly before: History;
  readonly after: History;
  readonly seen: Observation;
  readonly verdict: Verdict;
}

function run(steps: readonly Step[], rules: AdoptRules = RULES): Seen[] {
  let [history, now] = [emptyHistory, 0];
  return steps.map(({ after, ...rest }) => {
    now += after;
    const seen = { ...rest, now };
    const [next, verdict] = observe(history, seen, rules);
    const result = { before: history, after: next, seen, verdict };
    history = next;
    return result;
  });
}

const at = (addresses: readonly string[], after: number, changes: Partial<Step> = {}): Step => ({
  addresses,
  after,
  condition: 'usable',
  forced: false,
  ...changes,
});
const moves = (results: readonly Seen[]): number =>
  results.filter(({ verdict }) => verdict.kind === 'adopted' && verdict.dropped.length > 0).length;
const modes = fc.constantFrom<AdoptRules>(RULES, { ...RULES, mode: 'set' });

describe('any sequence of answers', () => {
  it('leaves an endpoint with an address once it has had one', () => {
    fc.assert(
      fc.property(fc.array(step(), { minLength: 1, maxLength: 40 }), modes, (steps, rules) => {
        for (const { after } of run(steps, rules)) expect(after.current.length).toBeGreaterThan(0);
      }),
    );
  });

  it('gives an endpoint no address that no answer has named', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), modes, (steps, rules) => {
        for (const { before, after, seen } of run(steps, rules)) {
          for (const each of after.current) expect([...before.current, ...seen.addresses]).toContain(each);
        }
      }),
    );
  });

  it('is told truly: what was added and dropped is the difference, and nothing else changes', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), modes, (steps, rules) => {
        for (const { before, after, verdict } of run(steps, rules)) {
          if (verdict.kind !== 'adopted') {
            expect(after.current).toEqual(before.current);
            continue;
          }
          expect(verdict.added).toEqual(after.current.filter((each) => !before.current.includes(each)));
          expect(verdict.dropped).toEqual(before.current.filter((each) => !after.current.includes(each)));
          expect(verdict.added.length + verdict.dropped.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('adopts every answer that names no quarantined address, at once', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), (steps) => {
        for (const { before, after, seen } of run(steps)) {
          if (seen.addresses.some((each) => before.quarantine.has(each))) continue;
          expect(after.current.toSorted()).toEqual(seen.addresses.toSorted());
        }
      }),
    );
  });

  it('lets an address out of quarantine only by the rule', () => {
    fc.assert(
      fc.property(fc.array(step(), { minLength: 5, maxLength: 60 }), (steps) => {
        const results = run(steps);
        results.forEach(({ before, after, seen }, i) => {
          for (const each of after.current) {
            const entry = before.quarantine.get(each);
            if (entry === undefined || seen.forced || seen.condition === 'dead' || entry.until <= seen.now) continue;
            // By hand from the answers: since when has each of them named it?
            const past = results.slice(0, i + 1).toReversed();
            const silent = past.findIndex((result) => !result.seen.addresses.includes(each));
            const first = past[silent === -1 ? past.length - 1 : silent - 1]!;
            expect(seen.now - first.seen.now).toBeGreaterThanOrEqual(seen.condition === 'usable' ? 10_000 : 2_000);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('never puts the present address into quarantine', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 60 }), (steps) => {
        for (const { after } of run(steps)) {
          for (const each of after.current) expect(after.quarantine.has(each)).toBe(false);
        }
      }),
    );
  });

  it('in which a name flickers between a proven address and its successor is one move', () => {
    const flicker = fc.array(
      step({
        ...calm,
        addresses: fc.constantFrom(['10.0.0.1'], ['10.0.0.2']),
        after: fc.integer({ min: 1, max: 2_000 }),
      }),
      { minLength: 1, maxLength: 28 },
    );
    fc.assert(
      fc.property(flicker, (steps) => {
        // Four in a row are less than the time for which all must agree.
        const broken = steps.map((each, i) => (i % 5 === 4 ? { ...each, addresses: ['10.0.0.2'] } : each));
        const proven = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 10_000), at(['10.0.0.2'], 1_000)];
        const results = run([...proven, ...broken]);
        expect(moves(results)).toBe(1);
        expect(results.at(-1)!.after.current).toEqual(['10.0.0.2']);
      }),
    );
  });

  it('that names all of the servers within returnAfterMillis is no move in set mode', () => {
    const rotating = fc.array(fc.shuffledSubarray(['10.0.0.1', '10.0.0.2', '10.0.0.3'], { minLength: 3 }), {
      minLength: 2,
      maxLength: 20,
    });
    fc.assert(
      fc.property(rotating, (rounds) => {
        const steps = rounds.flat().map((each) => at([each], 1_900));
        expect(moves(run(steps, { ...RULES, mode: 'set' }))).toBe(0);
      }),
    );
  });
});

describe('a quarantined address', () => {
  const left = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 10_000), at(['10.0.0.2'], 1_000)];
  const last = (...steps: readonly Step[]): Seen => run([...left, ...steps]).at(-1)!;

  it('is held, and named in the verdict', () => {
    expect(last(at(['10.0.0.1'], 1_000)).verdict).toEqual({ kind: 'held', held: ['10.0.0.1'] });
  });

  it('was the only answer for exactly returnAfterMillis; one millisecond less is not enough', () => {
    const short = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 8_999), at(['10.0.0.2'], 1_000), at(['10.0.0.1'], 1)];
    expect(run(short).at(-1)!.verdict.kind).toBe('adopted');
    expect(last(at(['10.0.0.1'], 1)).verdict.kind).toBe('held');
  });

  it.each([
    ['usable', 10_000],
    ['refusing', 2_000],
    ['starting', 2_000],
    ['read-only', 2_000],
    ['dead', 0],
  ] as const)('where the present one is %s comes back after %d ms of being named', (condition, millis) => {
    const named = at(['10.0.0.1'], 1_000);
    if (millis > 0) expect(last(named, at(['10.0.0.1'], millis - 1, { condition })).verdict.kind).toBe('held');
    expect(last(named, at(['10.0.0.1'], millis, { condition })).after.current).toEqual(['10.0.0.1']);
  });

  it('comes back by hand', () => {
    expect(last(at(['10.0.0.1'], 1, { forced: true })).after.current).toEqual(['10.0.0.1']);
  });

  it('comes back after quarantineMillis', () => {
    expect(last(at(['10.0.0.2'], 59_999), at(['10.0.0.1'], 0)).verdict.kind).toBe('held');
    expect(last(at(['10.0.0.1'], 60_000)).after.current).toEqual(['10.0.0.1']);
  });

  it('is left out of an answer that names others too', () => {
    expect(last(at(['10.0.0.1', '10.0.0.2'], 1_000)).verdict.kind).toBe('confirmed');
    expect(last(at(['10.0.0.1', '10.0.0.3'], 1_000)).after.current).toEqual(['10.0.0.3']);
  });

  it('waits no longer than returnAfterMillis, however short that is', () => {
    const rules = { ...RULES, returnAfterMillis: 500 };
    const steps = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 500), at(['10.0.0.2'], 1), at(['10.0.0.1'], 1)];
    expect(run([...steps, at(['10.0.0.1'], 500, { condition: 'refusing' })], rules).at(-1)!.after.current).toEqual([
      '10.0.0.1',
    ]);
  });
});
