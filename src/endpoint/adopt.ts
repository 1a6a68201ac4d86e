import type { Address } from './address.js';
import {
  type Claim,
  hasLapsed,
  hear,
  isPreferred,
  isStuck,
  LONGEST_TTL_MILLIS,
  noteSilence,
  type Testimonies,
  type Testimony,
  type Witness,
  type Word,
} from './words.js';

/**
 * Design, endpoint rules 4, 5 and 6: what an answer means. Pure: the endpoint acts on the verdict.
 *
 * A new address is taken from whoever names it first. One that was left for a newer one is not: an answer that only
 * repeats it is no news, for as long as somebody who knew the newer one can be asked again.
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
/** A server that was in use and has taken no connection for so long is not merely starting. */
const GIVEN_UP_AFTER_MILLIS = 5_000;
/** One that has taken none for so long is as good as dead, whatever else it does. */
const GONE_AFTER_MILLIS = 60_000;
/** Of how many addresses it is remembered that they were left, and who ever named them. */
const MAX_REMEMBERED = 1_024;

/** An address that is or was current. */
interface Adopted {
  /** The how-manyth to be adopted; several of one answer are equal. */
  readonly rank: number;
  readonly left: Left | null;
}

interface Left {
  /** Whose word it was. */
  readonly by: string;
  /** Until then its return may be a flicker. */
  readonly quarantinedUntil: number;
}

/** Everything that earlier answers have left behind. */
export interface History {
  readonly current: readonly Address[];
  readonly adopted: ReadonlyMap<Address, Adopted>;
  /** Everybody who ever named an address. */
  readonly namedBy: ReadonlyMap<Address, ReadonlySet<string>>;
  readonly testimonies: Testimonies;
  readonly claims: ReadonlyMap<Address, Claim>;
  /** Since when no present address has been usable. */
  readonly unusableSince: number | null;
  /** `set` mode: when each valid address was last named. */
  readonly named: ReadonlyMap<Address, number>;
}

export const emptyHistory: History = {
  current: [],
  adopted: new Map(),
  namedBy: new Map(),
  testimonies: new Map(),
  claims: new Map(),
  unusableSince: null,
  named: new Map(),
};

export type Verdict =
  /** The answer names what is current. */
  | { readonly kind: 'confirmed' }
  /** The answer names only addresses that may not come back yet, or that a server has always named: nothing changes. */
  | { readonly kind: 'held'; readonly held: readonly Address[] }
  /** New addresses, or fewer; it is a move if `dropped` is not empty. */
  | { readonly kind: 'adopted'; readonly added: readonly Address[]; readonly dropped: readonly Address[] };

export interface Observation {
  /** The answer. */
  readonly word: Word;
  /** What else was said to the same question. */
  readonly others: readonly Word[];
  /** Who was asked too and said nothing. */
  readonly silent: readonly string[];
  /** Who can be asked of the same source. */
  readonly askable: readonly string[];
  readonly now: number;
  /** Of the present addresses. */
  readonly condition: Condition;
  /** A connection to one of them was once in use. */
  readonly worked: boolean;
  /** Asked by hand: what it says is taken, quarantine or not, and who does not answer now is not waited for. */
  readonly forced: boolean;
}

export function observe(history: History, seen: Observation, rules: AdoptRules): [History, Verdict] {
  const noted = note(history, seen, rules);
  const usable = seen.word.addresses.filter((address) => mayUse(noted, address, seen, rules));
  if (usable.length === 0) return [noted, { kind: 'held', held: seen.word.addresses }];
  return rules.mode === 'set' ? settleSet(noted, usable, seen, rules) : settle(noted, usable, seen, rules);
}

/** A source failed: none of its servers answered. */
export function unanswered(history: History, source: number, now: number): History {
  const ids = [...history.testimonies.values()].filter(({ witness }) => witness.source === source);
  return {
    ...history,
    testimonies: noteSilence(
      history.testimonies,
      ids.map(({ witness }) => witness.id),
      now,
    ),
  };
}

export function quarantined({ adopted }: History, now: number): Address[] {
  return [...adopted].flatMap(([address, { left }]) => (left !== null && left.quarantinedUntil > now ? [address] : []));
}

/** What was said, before anything is decided. */
function note(history: History, seen: Observation, rules: AdoptRules): History {
  const { now, condition } = seen;
  const unusableSince = condition === 'usable' ? null : (history.unusableSince ?? now);
  let noted: History = { ...history, unusableSince };
  for (const word of [...seen.others, seen.word]) noted = noteWord(noted, word, now, rules);
  return { ...noted, testimonies: noteSilence(noted.testimonies, seen.silent, now) };
}

function noteWord(history: History, word: Word, now: number, rules: AdoptRules): History {
  const { id } = word.witness;
  const isPast = (address: Address): boolean => history.adopted.get(address)?.left != null;
  const namedBy = noteNames(history, word);
  const testimonies = hear(history.testimonies, word, now, isPast);
  const heard = { ...history, namedBy, testimonies };

  const claims = new Map<Address, Claim>();
  for (const [address, claim] of history.claims) {
    const against = !word.addresses.includes(address) && knowsBetter(heard, address, rules).has(id);
    if (!against) claims.set(address, claim);
  }
  for (const address of word.addresses) {
    if (history.current.includes(address)) continue;
    const before = claims.get(address);
    const ttlMillis = Math.max(word.ttlMillis ?? rules.quarantineMillis, before?.ttlMillis ?? 0);
    claims.set(address, { since: before?.since ?? now, ttlMillis });
  }
  return { ...heard, claims };
}

function noteNames({ namedBy, current }: History, { witness, addresses }: Word): History['namedBy'] {
  const fresh = addresses.filter((address) => namedBy.get(address)?.has(witness.id) !== true);
  if (fresh.length === 0) return namedBy;
  const noted = new Map(namedBy);
  for (const address of fresh) noted.set(address, new Set(noted.get(address)).add(witness.id));
  forget(noted, (address) => !current.includes(address) && !addresses.includes(address));
  return noted;
}

/** Whose word stands against the return of an address that was left, or against one that was never current. */
function knowsBetter(history: History, address: Address, { mode }: AdoptRules): ReadonlySet<string> {
  const known = history.adopted.get(address);
  if (known?.left == null) return new Set(history.testimonies.keys());
  // What one answer of a set leaves out says nothing.
  const ids = new Set([known.left.by]);
  if (mode === 'set') return ids;
  for (const [other, { rank }] of history.adopted) {
    if (rank > known.rank) for (const id of history.namedBy.get(other) ?? []) ids.add(id);
  }
  return ids;
}

/** May the address be used now that the word names it? */
function mayUse(history: History, address: Address, seen: Observation, rules: AdoptRules): boolean {
  const claim = history.claims.get(address);
  if (history.current.length === 0 || history.current.includes(address) || claim === undefined) return true;
  const left = history.adopted.get(address)?.left;
  const opponents = left == null ? seniors(history, address, seen) : rivals(history, address, seen, rules);
  if (!opponents.every((one) => yields(one, address, claim, history, seen, rules))) return false;
  return left == null || seen.forced || outOfQuarantine(history, left, claim, seen, rules);
}

/** Against the return of an address: who knew the newer one. */
function rivals(history: History, address: Address, { word }: Observation, rules: AdoptRules): Testimony[] {
  const found = [...knowsBetter(history, address, rules)].flatMap((id) => history.testimonies.get(id) ?? []);
  return rules.mode === 'set' ? found.filter(({ witness }) => !isPreferred(word.witness, witness)) : found;
}

/**
 * Against an address that was never current: nobody, where it is news. Where a server has never said anything else, it
 * may as well be of the past; then it is the servers that come before it.
 */
function seniors(history: History, address: Address, { word: { witness } }: Observation): Testimony[] {
  if (history.testimonies.get(witness.id)?.first.includes(address) !== true) return [];
  return [...history.testimonies.values()].filter(
    (other) => other.witness.source === witness.source && isPreferred(other.witness, witness),
  );
}

/** Does its word not stand against the address, or not any more? */
function yields(
  one: Testimony,
  address: Address,
  claim: Claim,
  history: History,
  seen: Observation,
  rules: AdoptRules,
): boolean {
  const { now, word, forced } = seen;
  if (one.last.includes(address) || isStuck(one, now)) return true;
  const { id, source } = one.witness;
  if (source === word.witness.source && !seen.askable.includes(id)) return true;
  if (forced && one.silence !== null) return true;
  const gone = isGone(history, seen);
  if (gone && isPreferred(word.witness, one.witness)) return true;
  return hasLapsed(one, claim, now, gone ? RETURN_WHILE_UNUSABLE_MILLIS : patience(claim, rules));
}

/** How long those who knew better may be silent, while the others could have what they say from a cache. */
function patience({ ttlMillis }: Claim, { returnAfterMillis }: AdoptRules): number {
  return Math.min(LONGEST_TTL_MILLIS, Math.max(ttlMillis, returnAfterMillis, RETURN_WHILE_UNUSABLE_MILLIS));
}

function isGone({ unusableSince }: History, { condition, now }: Observation): boolean {
  if (condition === 'dead') return true;
  if (condition === 'usable' || condition === 'starting' || unusableSince === null) return false;
  return now - unusableSince >= GONE_AFTER_MILLIS;
}

function outOfQuarantine(
  { unusableSince }: History,
  left: Left,
  claim: Claim,
  { now, condition, worked }: Observation,
  { returnAfterMillis }: AdoptRules,
): boolean {
  if (condition === 'dead' || now >= left.quarantinedUntil) return true;
  const namedFor = now - claim.since;
  if (condition === 'usable') return namedFor >= returnAfterMillis;
  if (namedFor >= Math.min(RETURN_WHILE_UNUSABLE_MILLIS, returnAfterMillis)) return true;
  // While a name flickers, not even a server that was killed would be left.
  return worked && condition !== 'starting' && unusableSince !== null && now - unusableSince >= GIVEN_UP_AFTER_MILLIS;
}

/** Any answer's addresses are valid for `returnAfterMillis`. */
function settleSet(
  history: History,
  usable: readonly Address[],
  seen: Observation,
  rules: AdoptRules,
): [History, Verdict] {
  const named = new Map(history.named);
  for (const address of usable) named.set(address, seen.now);
  for (const [address, at] of named) {
    if (seen.now - at > rules.returnAfterMillis || (seen.forced && at !== seen.now)) named.delete(address);
  }
  return settle({ ...history, named }, [...named.keys()], seen, rules);
}

function settle(history: History, next: readonly Address[], seen: Observation, rules: AdoptRules): [History, Verdict] {
  const added = next.filter((address) => !history.current.includes(address));
  const dropped = history.current.filter((address) => !next.includes(address));
  if (added.length === 0 && dropped.length === 0) return [history, { kind: 'confirmed' }];

  const adopted = new Map(history.adopted);
  const rank = 1 + Math.max(0, ...[...adopted.values()].map((each) => each.rank));
  for (const address of added) adopted.set(address, { rank, left: null });
  for (const address of dropped) {
    const known = adopted.get(address);
    if (known === undefined) continue;
    const replaced = next.some((each) => (adopted.get(each)?.rank ?? 0) > known.rank);
    const quarantinedUntil = replaced && rules.mode === 'single' ? seen.now + rules.quarantineMillis : seen.now;
    // At the end of the map: those that were left first are forgotten first.
    adopted.delete(address);
    adopted.set(address, { ...known, left: { by: leaver(history, address, seen, rules).id, quarantinedUntil } });
  }
  forget(adopted, (_, { left }) => left !== null);
  return [
    { ...history, current: next, adopted, claims: new Map() },
    { kind: 'adopted', added, dropped },
  ];
}

/** Whose word it was that an address was left: in a set, whoever is preferred of those who did not name it. */
function leaver(history: History, address: Address, { word, now }: Observation, rules: AdoptRules): Witness {
  if (rules.mode === 'single') return word.witness;
  return [...history.testimonies.values()]
    .filter(({ at, last }) => now - at <= rules.returnAfterMillis && !last.includes(address))
    .reduce((best, { witness }) => (isPreferred(witness, best) ? witness : best), word.witness);
}

/** What came into the map first goes first. */
function forget<V>(map: Map<Address, V>, may: (address: Address, value: V) => boolean): void {
  for (const [address, value] of map) {
    if (map.size <= MAX_REMEMBERED) return;
    if (may(address, value)) map.delete(address);
  }
}
