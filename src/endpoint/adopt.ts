import type { Address } from './address.js';

/**
 * Design rules 4, 5 and 6: what an answer means. Pure: the endpoint acts on the verdict.
 */

/** How `single` names (one server at a time) and `set` names (rotating by design) are followed. */
export type Mode = 'single' | 'set';

export interface AdoptRules {
  readonly mode: Mode;
  readonly returnAfterMillis: number;
  readonly quarantineMillis: number;
}

/** What is known of the servers at the present addresses, best of them first. */
export type Condition = 'usable' | 'refusing' | 'starting' | 'read-only' | 'dead';

/** How long every answer must have named a quarantined address while the present one cannot be used. */
const RETURN_WHILE_UNUSABLE_MILLIS = 2_000;

interface Quarantined {
  readonly until: number;
  /** Since when every answer of every source has named it. */
  readonly namedSince: number | null;
}

/** What a source said last. */
interface Word {
  readonly addresses: readonly Address[];
  readonly at: number;
}

/** Everything that earlier answers have left behind. */
export interface History {
  readonly current: readonly Address[];
  /** The address that has been the only answer, without a break. */
  readonly sole: { readonly address: Address; readonly since: number } | null;
  /** Addresses that have once been the only answer for `returnAfterMillis` since they were adopted. */
  readonly proven: ReadonlySet<Address>;
  readonly quarantine: ReadonlyMap<Address, Quarantined>;
  /** The last word of each source: where they disagree, one of them lags. */
  readonly words: ReadonlyMap<object, Word>;
  /** `set` mode: when each valid address was last named. */
  readonly named: ReadonlyMap<Address, number>;
}

export const emptyHistory: History = {
  current: [],
  sole: null,
  proven: new Set(),
  quarantine: new Map(),
  words: new Map(),
  named: new Map(),
};

export type Verdict =
  /** The answer names what is current. */
  | { readonly kind: 'confirmed' }
  /** The answer names only addresses that are quarantined, or that a lagging source repeats: nothing changes. */
  | { readonly kind: 'held'; readonly held: readonly Address[] }
  /** New addresses, or fewer; it is a move if `dropped` is not empty. */
  | { readonly kind: 'adopted'; readonly added: readonly Address[]; readonly dropped: readonly Address[] };

export interface Observation {
  /** Who says so: the same object each time. */
  readonly source: object;
  /** Never empty. */
  readonly addresses: readonly Address[];
  readonly now: number;
  /** Of the present addresses. */
  readonly condition: Condition;
  /** Asked by hand: what it says is taken, quarantine or not. */
  readonly forced: boolean;
}

export function observe(history: History, seen: Observation, rules: AdoptRules): [History, Verdict] {
  return rules.mode === 'set' ? observeSet(history, seen, rules) : observeSingle(history, seen, rules);
}

function observeSingle(history: History, seen: Observation, rules: AdoptRules): [History, Verdict] {
  const noted = note(history, seen, rules);
  const need = returnAfter(seen, rules);
  const lagging = lags(history, seen, rules);
  const usable = seen.addresses.filter(
    (address) =>
      (seen.forced || mayReturn(noted.quarantine.get(address), seen.now, need)) &&
      (!lagging || history.current.includes(address)),
  );
  if (usable.length === 0) return [noted, { kind: 'held', held: seen.addresses }];
  return settle(noted, usable, seen.now, rules);
}

/** Any answer's addresses are valid for `returnAfterMillis`; nothing is quarantined. */
function observeSet(history: History, seen: Observation, rules: AdoptRules): [History, Verdict] {
  const named = new Map(history.named);
  for (const address of seen.addresses) named.set(address, seen.now);
  for (const [address, at] of named) {
    if (seen.now - at > rules.returnAfterMillis || (seen.forced && at !== seen.now)) named.delete(address);
  }
  return settle({ ...history, named }, [...named.keys()], seen.now, { ...rules, quarantineMillis: 0 });
}

/**
 * It says what it said before, while another source vouches for what is current: it brings no news, it is late. DNS
 * answers from caches, the EC2 API from replicas. A word vouches for as long as a quarantine lasts, and not for a server
 * that cannot be used.
 */
function lags(history: History, { source, addresses, now, condition }: Observation, rules: AdoptRules): boolean {
  const before = history.words.get(source);
  if (condition !== 'usable' || before === undefined) return false;
  if (!addresses.every((address) => before.addresses.includes(address))) return false;
  return [...history.words].some(
    ([other, word]) =>
      other !== source &&
      now - word.at < rules.quarantineMillis &&
      word.addresses.some((address) => history.current.includes(address)),
  );
}

/** What the answer adds to the record, before anything is decided. */
function note(history: History, { source, addresses, now }: Observation, rules: AdoptRules): History {
  const [only] = addresses;
  const unbroken = addresses.length === 1 && history.sole?.address === only ? history.sole : null;
  const proven = new Set(history.proven);
  if (history.sole !== null && now - history.sole.since >= rules.returnAfterMillis) proven.add(history.sole.address);
  const sole = unbroken ?? (addresses.length === 1 && only !== undefined ? { address: only, since: now } : null);

  const words = new Map(history.words).set(source, { addresses, at: now });
  const quarantine = new Map<Address, Quarantined>();
  for (const [address, { until, namedSince }] of history.quarantine) {
    if (until <= now) continue;
    // What a source said before the address was left says nothing of its return.
    const since = [...words.values()].filter(({ at }) => at >= until - rules.quarantineMillis);
    const named = since.every((word) => word.addresses.includes(address));
    quarantine.set(address, { until, namedSince: named ? (namedSince ?? now) : null });
  }
  return { ...history, sole, proven, quarantine, words };
}

function returnAfter({ condition }: Observation, rules: AdoptRules): number {
  if (condition === 'dead') return 0;
  if (condition === 'usable') return rules.returnAfterMillis;
  return Math.min(RETURN_WHILE_UNUSABLE_MILLIS, rules.returnAfterMillis);
}

function mayReturn(entry: Quarantined | undefined, now: number, need: number): boolean {
  return entry === undefined || (entry.namedSince !== null && now - entry.namedSince >= need);
}

function settle(history: History, next: readonly Address[], now: number, rules: AdoptRules): [History, Verdict] {
  const added = next.filter((address) => !history.current.includes(address));
  const dropped = history.current.filter((address) => !next.includes(address));
  if (added.length === 0 && dropped.length === 0) return [history, { kind: 'confirmed' }];

  const quarantine = new Map(history.quarantine);
  for (const address of next) quarantine.delete(address);
  const proven = new Set(history.proven);
  for (const address of dropped) {
    if (proven.delete(address) && rules.quarantineMillis > 0) {
      quarantine.set(address, { until: now + rules.quarantineMillis, namedSince: null });
    }
  }
  return [
    { ...history, current: next, proven, quarantine },
    { kind: 'adopted', added, dropped },
  ];
}
