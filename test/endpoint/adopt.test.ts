import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quarantined } from '../../src/endpoint/adopt.js';
import {
  API,
  at,
  calm,
  modes,
  moves,
  RULES,
  run,
  type Seen,
  step,
  type Step,
  wasLeft,
  alone,
} from './adopt-support.js';

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
          for (const each of after.current) expect([...before.current, ...seen.word.addresses]).toContain(each);
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

  it('of one server is adopted, each that names no address that was left, at once', () => {
    fc.assert(
      fc.property(fc.array(step(alone), { maxLength: 40 }), (steps) => {
        for (const { before, after, seen } of run(steps)) {
          if (seen.word.addresses.some((each) => wasLeft(before, each))) continue;
          expect(after.current.toSorted()).toEqual(seen.word.addresses.toSorted());
        }
      }),
    );
  });

  it('of several is adopted at once where it is news: no address that was left, and none that its server named first', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 40 }), (steps) => {
        for (const { before, after, seen } of run(steps)) {
          const { witness, addresses } = seen.word;
          const first = after.testimonies.get(witness.id)!.first;
          if (addresses.some((each) => wasLeft(before, each) || first.includes(each))) continue;
          expect(after.current.toSorted()).toEqual(addresses.toSorted());
        }
      }),
      { numRuns: 500 },
    );
  });

  it('lets an address out of quarantine only by the rule', () => {
    fc.assert(
      fc.property(fc.array(step(alone), { minLength: 5, maxLength: 60 }), (steps) => {
        const results = run(steps);
        results.forEach(({ before, after, seen }, i) => {
          for (const each of after.current) {
            if (!quarantined(before, seen.now).includes(each)) continue;
            if (seen.forced || seen.condition === 'dead') continue;
            // By hand from the answers: since when has each of them named it, and no connection been possible?
            const past = results.slice(0, i + 1).toReversed();
            const since = (without: (result: Seen) => boolean): number => {
              const end = past.findIndex(without);
              return end === 0 ? 0 : seen.now - past.at(end === -1 ? -1 : end - 1)!.seen.now;
            };
            const named = since((result) => !result.seen.word.addresses.includes(each));
            const unusable = since((result) => result.seen.condition === 'usable');
            if (seen.worked && seen.condition !== 'usable' && seen.condition !== 'starting' && unusable >= 5_000)
              continue;
            expect(named).toBeGreaterThanOrEqual(seen.condition === 'usable' ? 10_000 : 2_000);
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
          for (const each of after.current) expect(wasLeft(after, each)).toBe(false);
        }
      }),
    );
  });

  const flicker = fc.array(
    step({
      ...calm,
      addresses: fc.constantFrom(['10.0.0.1'], ['10.0.0.2']),
      after: fc.integer({ min: 1, max: 2_000 }),
    }),
    { minLength: 1, maxLength: 28 },
  );

  it.each([
    ['between an address that it had for long and its successor', 10_000],
    ['from the start', 0],
  ])('in which a name flickers %s is one move', (_when, stayed) => {
    fc.assert(
      fc.property(flicker, (steps) => {
        // Four in a row are less than the time for which all must agree.
        const broken = steps.map((each, i) => (i % 5 === 4 ? { ...each, addresses: ['10.0.0.2'] } : each));
        const begin = [at(['10.0.0.1'], 0), at(['10.0.0.1'], stayed), at(['10.0.0.2'], 1_000)];
        const results = run([...begin, ...broken]);
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
        const begin = [at(first, 0), at(first, 0, { by: API }), at(first, stayed), at(second, 1_000)];
        // Every tenth is of the one that knows, so that its word is never older than a quarantine.
        const lagging = rest.map(({ api, after }, i) =>
          api && i % 10 !== 9 ? at(first, after, { by: API }) : at(second, after),
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

describe('a quarantined address', () => {
  const left = [at(['10.0.0.1'], 0), at(['10.0.0.1'], 10_000), at(['10.0.0.2'], 1_000)];
  const last = (...steps: readonly Step[]): Seen => run([...left, ...steps]).at(-1)!;

  it('is held, and named in the verdict', () => {
    expect(last(at(['10.0.0.1'], 1_000)).verdict).toEqual({ kind: 'held', held: ['10.0.0.1'] });
  });

  it('is any that was left for a newer one, however short it had been there', () => {
    const short = [at(['10.0.0.1'], 0), at(['10.0.0.2'], 1), at(['10.0.0.1'], 1)];
    expect(run(short).at(-1)!.verdict.kind).toBe('held');
    const grown = [at(['10.0.0.1'], 0), at(['10.0.0.1', '10.0.0.2'], 1), at(['10.0.0.2'], 1), at(['10.0.0.1'], 1)];
    expect(run(grown).at(-1)!.verdict.kind).toBe('held');
  });

  it('is none that was merely left out for a while', () => {
    const both = ['10.0.0.1', '10.0.0.2'];
    const results = run([at(both, 0), at(['10.0.0.2'], 20_000), at(both, 1_000)]);
    expect(results.at(-1)!.after.current.toSorted()).toEqual(both);
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

  it.each([
    ['refusing', true, true],
    ['read-only', true, true],
    ['starting', true, false],
    ['refusing', false, false],
  ] as const)(
    'in a flicker where the present one is %s (it worked before: %s) comes back after 5 s: %s',
    (condition, worked, comes) => {
      const turns = Array.from({ length: 11 }, (_, i) =>
        at([i % 2 === 0 ? '10.0.0.1' : '10.0.0.2'], 500, { condition, worked }),
      );
      expect(last(...turns.slice(0, -1)).after.current).toEqual(['10.0.0.2']);
      expect(last(...turns).after.current).toEqual([comes ? '10.0.0.1' : '10.0.0.2']);
    },
  );

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

describe('the memory of what was left', () => {
  it('has its bound, and forgets what was left first', () => {
    const steps = Array.from({ length: 1_200 }, (_, i) => at([`10.1.${i >> 8}.${i & 255}`], 1));
    const { after } = run(steps).at(-1)!;
    expect(after.adopted.size).toBeLessThanOrEqual(1_024);
    expect([after.adopted.has('10.1.0.0'), after.adopted.has('10.1.4.174')]).toEqual([false, true]);
  });
});
