import { EipPoolError } from '../errors.js';
import { type Address, canonicalAddress } from './address.js';

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
}

/** What the endpoint does for a resolver that it asks. */
export interface ResolveHelp {
  /** The names behind the asked one, nearest first, as the endpoint's other sources know them. Never rejects. */
  chain(): Promise<readonly string[]>;
}

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
  /** When it was adopted or last confirmed: milliseconds on the monotonic clock. */
  readonly at: number;
}

const MAX_TTL_SECONDS = 86_400;
/** No name has so many servers that one of them is dialled in turn; more is noise or an attack. */
const MAX_ADDRESSES = 64;

/** Turns what a resolver returned into an answer, or throws `NO_ADDRESS`. */
export function readResolution(resolution: Resolution, name: string, source: string, at: number): Answer {
  const list: unknown = (resolution as Resolution | undefined)?.addresses;
  if (!Array.isArray(list)) throw noAddress(name, source, 'it returned no list of addresses');
  const addresses = new Set<Address>();
  for (const item of list.slice(0, MAX_ADDRESSES) as unknown[]) {
    const address = canonicalAddress(item);
    if (address !== null) addresses.add(address);
  }
  if (addresses.size === 0) {
    throw noAddress(name, source, list.length === 0 ? 'the answer is empty' : 'no IP address is in its answer');
  }
  return {
    addresses: Object.freeze([...addresses]),
    ttlSeconds: readTtl(resolution.ttlSeconds),
    chain: Object.freeze(Array.isArray(resolution.chain) ? resolution.chain.filter((n) => typeof n === 'string') : []),
    source: typeof resolution.from === 'string' ? resolution.from : source,
    at,
  };
}

function readTtl(ttl: unknown): number | null {
  return typeof ttl === 'number' && ttl >= 0 ? Math.min(ttl, MAX_TTL_SECONDS) : null;
}

function noAddress(name: string, source: string, why: string): EipPoolError {
  return new EipPoolError('NO_ADDRESS', `${name}: ${source} knows no address: ${why}`);
}
