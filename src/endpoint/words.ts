import type { Address } from './address.js';

/** Who says where the name points: a server that a source asks, or a source that speaks for itself. */
export interface Witness {
  /** The same each time. */
  readonly id: string;
  /** The how-manyth source it is or belongs to, and the how-manyth of its servers: the first one is preferred. */
  readonly source: number;
  readonly place: number;
}

export interface Word {
  readonly witness: Witness;
  /** Never empty. */
  readonly addresses: readonly Address[];
  /** How long a cache may keep it; null where that is not known. */
  readonly ttlMillis: number | null;
}

/** What one witness has said. */
export interface Testimony {
  readonly witness: Witness;
  readonly first: readonly Address[];
  readonly last: readonly Address[];
  /** When it said the last. */
  readonly at: number;
  /** Questions since then that it did not answer: the first and the last of them. */
  readonly silence: { readonly since: number; readonly last: number } | null;
  /** Since when it has named nothing but addresses that were left. */
  readonly behindSince: number | null;
}

/** An address that is not current is named, and nobody who knows better has spoken since. */
export interface Claim {
  readonly since: number;
  /** The longest that a cache may keep what was said. */
  readonly ttlMillis: number;
}

/** What a VPC's resolver keeps an answer for at most: whoever repeats itself for longer than this is no cache. */
export const LONGEST_TTL_MILLIS = 300_000;

export type Testimonies = ReadonlyMap<string, Testimony>;

/** `isPast` tells whether the address was left. */
export function hear(all: Testimonies, word: Word, now: number, isPast: (address: Address) => boolean): Testimonies {
  const { witness, addresses } = word;
  const before = all.get(witness.id);
  const behindSince = addresses.every(isPast) ? (before?.behindSince ?? now) : null;
  const first = before?.first ?? addresses;
  return new Map(all).set(witness.id, { witness, first, last: addresses, at: now, silence: null, behindSince });
}

export function noteSilence(all: Testimonies, ids: Iterable<string>, now: number): Testimonies {
  const testimonies = new Map(all);
  for (const id of ids) {
    const before = all.get(id);
    if (before !== undefined) {
      testimonies.set(id, { ...before, silence: { since: before.silence?.since ?? now, last: now } });
    }
  }
  return testimonies;
}

export function isPreferred(one: Witness, other: Witness): boolean {
  return one.source === other.source ? one.place < other.place : one.source < other.source;
}

/** Is what it says merely late? No cache is late for so long: it does not follow the name at all. */
export function isStuck({ behindSince }: Testimony, now: number): boolean {
  return behindSince !== null && now - behindSince > LONGEST_TTL_MILLIS;
}

/**
 * Has it been silent for so long that the others may be believed? Asked in vain, for longer than they could have what
 * they say from a cache; not asked at all, for longer than any cache.
 */
export function hasLapsed({ at, silence }: Testimony, claim: Claim, now: number, patienceMillis: number): boolean {
  if (silence !== null && silence.last >= claim.since) return now - silence.since > patienceMillis;
  return now - Math.max(at, claim.since) > LONGEST_TTL_MILLIS;
}
