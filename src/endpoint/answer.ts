import { EipPoolError } from '../errors.js';
import { type Address, canonicalAddress, compareAddresses } from './address.js';
import type { Urgency } from './packet-budget.js';

/** What a resolver returns. Everything in it is checked before it is used. */
export interface Resolution {
  /** IP addresses, in the order in which they should be tried. */
  readonly addresses: readonly string[];
  /** Seconds; the smallest over the CNAME chain. */
  readonly ttlSeconds?: number | undefined;
  /** The names that the asked name leads to, nearest first. */
  readonly chain?: readonly string[] | undefined;
  /** Which server or service said so, for people. */
  readonly from?: string | undefined;
  /**
   * Of a source that asks several servers which may disagree: the one that said so, by a key that stays the same. What
   * one of them is heard to say twice is then not taken for the word of two.
   */
  readonly server?: string | undefined;
  /** All servers that it would ask, the preferred one first; those it does not name cannot be asked any more. */
  readonly servers?: readonly string[] | undefined;
  /** What others of them said, to this question or since the last one; the latest of a server is its last. */
  readonly others?: readonly ServerWord[] | undefined;
  /** Those whose latest question was not answered. */
  readonly silent?: readonly string[] | undefined;
}

/** What one of a source's servers said. */
export interface ServerWord {
  readonly server: string;
  readonly addresses: readonly string[];
  readonly ttlSeconds?: number | undefined;
}

/** What the endpoint does for a resolver that it asks. */
export interface ResolveHelp {
  /** The names behind the asked one, nearest first, as the endpoint's other sources know them. Never rejects. */
  chain(): Promise<readonly string[]>;
  /**
   * Whether this would change nothing because it repeats what was left. A source with several servers then asks another
   * one, which may know better.
   */
  doubts(resolution: Resolution): boolean;
  /** What a caller waits for goes before what only the schedule asks. */
  readonly urgency: Urgency;
  /** Somebody asks who has no answer yet. */
  readonly isFirst: boolean;
  /** Aborts when nobody follows the name any more: for what goes on beside the answer. */
  readonly following: AbortSignal;
  /** Tells a part of the answer while the rest is awaited. It is used where there is no answer yet. */
  early(resolution: Resolution): void;
}

/** For a resolver that may be asked without that help. */
export type SomeHelp = { readonly [K in keyof ResolveHelp]?: ResolveHelp[K] | undefined };

/** A source of answers. The same rules apply to what each of them says. */
export interface Resolver {
  /** For events and messages. */
  readonly name: string;
  /**
   * When it is asked: with every question; or, for a source with a quota, at the start and then only while the endpoint is
   * suspect or its sources disagree: first after a random 0 to 2 s, then ever less often, and later after a failure.
   * @defaultValue 'always'
   */
  readonly asked?: 'always' | 'on-suspicion' | undefined;
  /**
   * May it be asked again while an earlier question is unanswered?
   * @defaultValue false
   */
  readonly overlapping?: boolean | undefined;
  /**
   * Endpoints of a process that follow a name by resolvers of the same key ask one of them, and share what it says.
   * @defaultValue unset: each endpoint asks its own
   */
  readonly sharedAs?: string | undefined;
  /**
   * Does it keep `lookupTimeoutMillis` by itself? Then its time begins when it asks, not while it waits for its turn.
   * @defaultValue false
   */
  readonly keepsTime?: boolean | undefined;
  /**
   * Rejects, or resolves to no addresses, when it does not know. One that rejects with `API_UNAUTHORIZED` steps aside: the
   * endpoint warns once and leaves it alone. `signal` aborts at `lookupTimeoutMillis`, and when the endpoint closes.
   */
  resolve(name: string, signal: AbortSignal, help: ResolveHelp): Promise<Resolution>;
  /** The CNAME chain alone, for the message of a refused answer that came without it. Never rejects. */
  chain?(name: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** What the endpoint holds true: the addresses that sockets may have. */
export interface Answer {
  readonly addresses: readonly Address[];
  /** Seconds, clamped to a day; null where the source has none. */
  readonly ttlSeconds: number | null;
  /** The names behind the endpoint's name, nearest first; as last asked. */
  readonly chain: readonly string[];
  /** The resolver that said so. */
  readonly source: string;
  /** Which of the resolver's servers said so, where it asks several; so for the next three. */
  readonly server?: string | undefined;
  /** The resolver's servers, the preferred one first. */
  readonly servers?: readonly string[] | undefined;
  /** What others of them said to the same question, or since the one before. */
  readonly others?: readonly ServerWord[] | undefined;
  /** Those of them whose latest question was not answered. */
  readonly silent?: readonly string[] | undefined;
  /** When it was adopted or last confirmed: milliseconds on the monotonic clock. */
  readonly at: number;
}

const MAX_TTL_SECONDS = 86_400;
/** No name has so many servers that one of them is dialled in turn; more is noise or an attack. */
const MAX_ADDRESSES = 64;
/** A DNS message holds no more. */
const MAX_RECORDS = 4_096;
/** No machine has so many name servers. */
const MAX_SERVERS = 64;

/** Turns what a resolver returned into an answer, or throws `NO_ADDRESS`. */
export function readResolution(resolution: Resolution, name: string, source: string, at: number): Answer {
  const list: unknown = (resolution as Resolution | undefined)?.addresses;
  if (!Array.isArray(list)) throw noAddress(name, source, 'it returned no list of addresses');
  const addresses = readAddresses(list);
  if (addresses.length === 0) {
    throw noAddress(name, source, list.length === 0 ? 'the answer is empty' : 'no IP address is in its answer');
  }
  return {
    addresses,
    ttlSeconds: readTtl(resolution.ttlSeconds),
    chain: readTexts(resolution.chain),
    source: typeof resolution.from === 'string' ? resolution.from : source,
    ...readServers(resolution),
    at,
  };
}

/** Of too many it is always the same that are kept, in whatever order they come: DNS servers turn theirs. */
function readAddresses(list: readonly unknown[]): readonly Address[] {
  const addresses = new Set<Address>();
  for (const item of list.slice(0, MAX_RECORDS)) {
    const address = canonicalAddress(item);
    if (address !== null) addresses.add(address);
  }
  const all = [...addresses];
  if (all.length <= MAX_ADDRESSES) return Object.freeze(all);
  const kept = new Set(all.toSorted(compareAddresses).slice(0, MAX_ADDRESSES));
  return Object.freeze(all.filter((address) => kept.has(address)));
}

function readServers(resolution: Resolution): Pick<Answer, 'server' | 'servers' | 'others' | 'silent'> {
  if (typeof resolution.server !== 'string') return {};
  return {
    server: resolution.server,
    servers: readTexts(resolution.servers).slice(0, MAX_SERVERS),
    others: readWords(resolution.others),
    silent: readTexts(resolution.silent).slice(0, MAX_SERVERS),
  };
}

function readWords(list: unknown): readonly ServerWord[] {
  if (!Array.isArray(list)) return [];
  const words = (list as (Partial<ServerWord> | null)[]).slice(-MAX_SERVERS).flatMap((word) => {
    if (typeof word?.server !== 'string' || !Array.isArray(word.addresses)) return [];
    const addresses = readAddresses(word.addresses);
    return [{ server: word.server, addresses, ttlSeconds: readTtl(word.ttlSeconds) ?? undefined }];
  });
  return Object.freeze(words);
}

function readTexts(list: unknown): readonly string[] {
  return Object.freeze(Array.isArray(list) ? list.filter((text) => typeof text === 'string') : []);
}

function readTtl(ttl: unknown): number | null {
  return typeof ttl === 'number' && ttl >= 0 ? Math.min(ttl, MAX_TTL_SECONDS) : null;
}

function noAddress(name: string, source: string, why: string): EipPoolError {
  return new EipPoolError('NO_ADDRESS', `${name}: ${source} knows no address: ${why}`);
}
