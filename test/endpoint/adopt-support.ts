import fc from 'fast-check';
import {
  type AdoptRules,
  type Condition,
  emptyHistory,
  type History,
  type Observation,
  observe,
  type Verdict,
} from '../../src/endpoint/adopt.js';
import type { Witness } from '../../src/endpoint/words.js';

export const RULES: AdoptRules = { mode: 'single', returnAfterMillis: 10_000, quarantineMillis: 60_000 };
const CONDITIONS: readonly Condition[] = ['usable', 'refusing', 'starting', 'read-only', 'dead'];

/** Who says so: the three servers of one source, and a source that speaks for itself. */
export const DNS: Witness = { id: 'dns 1', source: 0, place: 0 };
export const SECOND: Witness = { id: 'dns 2', source: 0, place: 1 };
export const THIRD: Witness = { id: 'dns 3', source: 0, place: 2 };
export const API: Witness = { id: 'api', source: 1, place: 0 };
const ALL: readonly Witness[] = [DNS, SECOND, THIRD, API];

/** One answer, with what other servers said to the same question, or did not. */
export interface Step {
  readonly by: Witness;
  readonly addresses: readonly string[];
  readonly ttlMillis: number | null;
  readonly others: readonly { readonly by: Witness; readonly addresses: readonly string[] }[];
  readonly silent: readonly Witness[];
  readonly after: number;
  readonly condition: Condition;
  readonly worked: boolean;
  readonly forced: boolean;
}

const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4');
const addresses = fc.uniqueArray(address, { minLength: 1, maxLength: 3 });
export const step = (parts: Parts = {}): fc.Arbitrary<Step> =>
  fc.record({
    by: fc.constantFrom(...ALL),
    addresses,
    ttlMillis: fc.constantFrom(null, 0, 5_000, 60_000, 300_000),
    others: fc.array(fc.record({ by: fc.constantFrom(...ALL), addresses }), { maxLength: 2 }),
    silent: fc.subarray([...ALL]),
    after: fc.integer({ min: 0, max: 15_000 }),
    condition: fc.constantFrom(...CONDITIONS),
    worked: fc.boolean(),
    forced: fc.boolean(),
    ...parts,
  });
type Parts = Partial<{ [K in keyof Step]: fc.Arbitrary<Step[K]> }>;
export const alone: Parts = { by: fc.constant(DNS), others: fc.constant([]), silent: fc.constant([]) };
export const calm: Parts = { ...alone, condition: fc.constant<Condition>('usable'), forced: fc.constant(false) };

export interface Seen {
  readonly before: History;
  readonly after: History;
  readonly seen: Observation;
  readonly verdict: Verdict;
}

export function seenAt(now: number, step: Step): Observation {
  const { by, others, ttlMillis, silent, condition, worked, forced } = step;
  return {
    word: { witness: by, addresses: step.addresses, ttlMillis },
    others: others.map((other) => ({ witness: other.by, addresses: other.addresses, ttlMillis })),
    silent: silent.map(({ id }) => id),
    askable: ALL.filter(({ source }) => source === by.source).map(({ id }) => id),
    now,
    condition,
    worked,
    forced,
  };
}

export function run(steps: readonly Step[], rules: AdoptRules = RULES): Seen[] {
  let [history, now] = [emptyHistory, 0];
  return steps.map((each) => {
    now += each.after;
    const seen = seenAt(now, each);
    const [next, verdict] = observe(history, seen, rules);
    const result = { before: history, after: next, seen, verdict };
    history = next;
    return result;
  });
}

export const at = (list: readonly string[], after: number, changes: Partial<Step> = {}): Step => ({
  by: DNS,
  addresses: list,
  ttlMillis: null,
  others: [],
  silent: [],
  after,
  condition: 'usable',
  worked: true,
  forced: false,
  ...changes,
});
export const moves = (results: readonly Seen[]): number =>
  results.filter(({ verdict }) => verdict.kind === 'adopted' && verdict.dropped.length > 0).length;
export const modes: fc.Arbitrary<AdoptRules> = fc.constantFrom<AdoptRules>(RULES, { ...RULES, mode: 'set' });
/** Was it left before? */
export const wasLeft = ({ adopted }: History, each: string): boolean => adopted.get(each)?.left != null;
