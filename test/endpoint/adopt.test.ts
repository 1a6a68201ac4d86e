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

/** Who says so. */
const [DNS, API]: readonly object[] = [{ source: 'dns' }, { source: 'api' }];

interface Step {
  readonly source: object;
  readonly addresses: readonly string[];
  readonly after: number;
  readonly condition: Condition;
  readonly forced: boolean;
}

const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4');
const step = (parts: Partial<{ [K in keyof Step]: fc.Arbitrary<Step[K]> }> = {}): fc.Arbitrary<Step> =>
  fc.record({
    source: fc.constantFrom(DNS!, API!),
    addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 3 }),
    after: fc.integer({ min: 0, max: 15_000 }),
    condition: fc.constantFrom(...CONDITIONS),
    forced: fc.boolean(),
    ...parts,
  });
const alone = { source: fc.constant(DNS!) };
const calm = { ...alone, condition: fc.constant<Condition>('usable'), forced: fc.constant(false) };

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
  source: DNS!,
  addresses,
  after,
  condition: 'usable',
  forced: false,
  ...changes,
});
const moves = (results: readonly Seen[]): number =>
  results.filter(({ verdict }) => verdict.kind === 'adopted' && verdict.dropped.length > 0).length;
/** Does the source name an address that its last word did not name? */
function isNews(before: History, { source, addresses }: Observation): boolean {
  const last = before.words.get(source)?.addresses ?? [];
  return addresses.some((each) => !last.includes(each));
}
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

  it('of one source is adopted, each that names no quarantined address, at once', () => {
    fc.assert(
      fc.property(fc.array(step(alone), { maxLength: 40 }), (steps) => {
        for (const { before, after, seen } of run(steps)) {
          if (seen.addresses.some((each) => before.quarantine.has(each))) continue;
          expect(after.current.toSorted()).toEqual(seen.addresses.toSorted());
        }
      }),
    );
  });

  it('of several sources is adopted at once where it is news, or nobody vouches for a server that works', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), (steps) => {
        for (const { before, after, seen } of run(steps)) {
          if (seen.addresses.some((each) => before.quarantine.has(each))) continue;
          if (!isNews(before, seen) && seen.condition === 'usable') continue;
          expect(after.current.toSorted()).toEqual(seen.addresses.toSorted());
        }
      }),
    );
  });

  it('gives no new address where a source repeats itself while another one vouches for the present one', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), (steps) => {
        const results = run(steps);
        results.forEach(({ before, after, seen, verdict }, i) => {
          const other = results.slice(0, i).findLast((result) => result.seen.source !== seen.source)?.seen;
          const vouches =
            other?.addresses.some((each) => before.current.includes(each)) === true && seen.now - other.now < 60_000;
          if (!vouches || isNews(before, seen) || seen.condition !== 'usable') return;
          for (const each of after.current) expect(before.current).toContain(each);
          if (!seen.addresses.some((each) => before.current.includes(each))) {
            expect(verdict).toEqual({ kind: 'held', held: seen.addresses });
          }
        });
      }),
      { numRuns: 500 },
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
            for (const source of [DNS, API]) {
              const word = past.find((result) => result.seen.source === source)?.seen;
              if (word !== undefined && word.now >= entry.until - 60_000) expect(word.addresses).toContain(each);
            }
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

  it('in which one source has moved on and the other one lags is one move, in whatever order they answer', () => {
    const answers = fc.array(fc.record({ api: fc.boolean(), after: fc.integer({ min: 0, max: 5_000 }) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), answers, (stayed, rest) => {
        const [first, second] = [['10.0.0.1'], ['10.0.0.2']];
        const begin = [at(first, 0), at(first, 0, { source: API! }), at(first, stayed), at(second, 1_000)];
        // Every tenth is of the one that knows, so that its word is never older than a quarantine.
        const lagging = rest.map(({ api, after }, i) =>
          api && i % 10 !== 9 ? at(first, after, { source: API! }) : at(second, after),
        );
        const results = run([...begin, ...lagging]);
        expect(moves(results)).toBe(1);
        expect(results.at(-1)!.after.current).toEqual(second);
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

describe('a source that repeats itself', () => {
  /** Both have said the first address; then DNS names the second one. */
  const begin = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 0, { source: API! }), at(['10.0.0.2'], 3_000)];
  const repeated = (after: number, changes: Partial<Step> = {}): Seen =>
    run([...begin, at(['10.0.0.1'], after, { source: API!, ...changes })]).at(-1)!;

  it.each([
    ['calm', {}],
    ['asked by hand', { forced: true }],
  ])('is held for as long as the other one’s word is younger than a quarantine (%s)', (_how, changes) => {
    expect(repeated(59_999, changes).verdict).toEqual({ kind: 'held', held: ['10.0.0.1'] });
    expect(repeated(60_000, changes).after.current).toEqual(['10.0.0.1']);
  });

  it.each(['refusing', 'starting', 'read-only', 'dead'] as const)(
    'is believed where the present server is %s',
    (condition) => {
      expect(repeated(1_000, { condition }).after.current).toEqual(['10.0.0.1']);
    },
  );

  it('is believed again once it has said something else meanwhile', () => {
    const results = run([
      ...begin,
      at(['10.0.0.2'], 1_000, { source: API! }),
      at(['10.0.0.1'], 1_000, { source: API! }),
    ]);
    expect(results.at(-1)!.after.current).toEqual(['10.0.0.1']);
  });

  it('does not vouch against itself', () => {
    const left = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 10_000), at(['10.0.0.2'], 1_000)];
    const results = run([...left, at(['10.0.0.1', '10.0.0.2'], 30_000), at(['10.0.0.1'], 30_000)]);
    expect(results.at(-2)!.verdict.kind).toBe('confirmed');
    expect(results.at(-1)!.after.current).toEqual(['10.0.0.1']);
  });

  it('does not keep back what another source said before the address was left', () => {
    const proven = [at(['10.0.0.1'], 0, { source: API! }), at(['10.0.0.1'], 0), at(['10.0.0.1'], 10_000)];
    const left = [at(['10.0.0.2'], 1_000), at(['10.0.0.1'], 1_000), at(['10.0.0.1'], 10_000)];
    const other = at(['10.0.0.9'], 0, { source: API! });
    expect(run([other, ...proven.slice(1), ...left]).at(-1)!.after.current).toEqual(['10.0.0.1']);
    // Its word from afterwards does.
    const late = [...left.slice(0, 1), { ...other, addresses: ['10.0.0.2'] }, ...left.slice(1)];
    expect(run([...proven, ...late]).at(-1)!.verdict.kind).toBe('held');
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
