import dns from 'node:dns';
import { systemClock } from '../clock.js';
import { type Address, canonicalAddress } from '../endpoint/address.js';
import { encodedAddress, encodedRegion } from '../endpoint/elastic-ip-name.js';
import { readGuard } from '../endpoint/guard.js';
import { readName } from '../endpoint/name.js';
import { PacketBudget } from '../endpoint/packet-budget.js';
import { DnsResolver } from '../endpoint/resolvers/dns.js';
import { messageOf } from '../errors.js';

/** What one DNS server says of a name. */
export type ServerAnswer =
  | {
      readonly kind: 'answered';
      readonly server: string;
      readonly addresses: readonly Address[];
      readonly ttlSeconds: number | null;
      readonly chain: readonly string[];
      readonly millis: number;
    }
  | { readonly kind: 'failed'; readonly server: string; readonly error: string; readonly millis: number };

/** The Elastic IP that a name, or a name behind it, encodes. */
export interface NamedElasticIp {
  readonly name: string;
  readonly publicIp: Address;
  readonly region: string;
}

export interface Inspected {
  readonly name: string;
  readonly answers: readonly ServerAnswer[];
  /** Those of the first server that answered. */
  readonly addresses: readonly Address[];
  readonly chain: readonly string[];
  readonly elasticIp: NamedElasticIp | null;
  /** All servers that answered agree. */
  readonly agreed: boolean;
}

const TIMEOUT_MILLIS = 1_000;
const isPrivate = readGuard('private', 'private');

/** Asks every server for itself, all at the same time. Takes a second at most. */
export async function inspect(given: string, servers: readonly string[] | undefined): Promise<Inspected> {
  const name = readName(given);
  const asked = servers ?? dns.getServers();
  const answers = await Promise.all(asked.map((server) => askServer(name, server)));
  const answered = answers.filter((answer) => answer.kind === 'answered');
  const [first] = answered;
  const chain = first?.chain ?? [];
  const keys = new Set(answered.map(({ addresses }) => addresses.toSorted().join()));
  return {
    name,
    answers,
    addresses: first?.addresses ?? [],
    chain,
    elasticIp: elasticIpIn([name, ...chain]),
    agreed: keys.size <= 1,
  };
}

/** `public view`: the address that the name itself encodes, so nobody inside the VPC was meant to get it. */
export function viewOf(address: Address, elasticIp: NamedElasticIp | null): 'private' | 'public' | 'public view' {
  if (isPrivate.allows(address)) return 'private';
  return address === elasticIp?.publicIp ? 'public view' : 'public';
}

async function askServer(name: string, server: string): Promise<ServerAnswer> {
  const began = systemClock.now();
  const millis = (): number => Math.round(systemClock.now() - began);
  const budget = new PacketBudget(systemClock);
  const timeoutMillis = TIMEOUT_MILLIS;
  const resolver = new DnsResolver({
    servers: [server],
    family: 0,
    timeoutMillis,
    besideMillis: timeoutMillis,
    budget,
  });
  try {
    const { addresses, ttlSeconds, chain } = await resolver.resolve(name, AbortSignal.timeout(2 * TIMEOUT_MILLIS));
    const canonical = addresses.flatMap((address) => canonicalAddress(address) ?? []);
    return {
      kind: 'answered',
      server,
      addresses: canonical,
      ttlSeconds: ttlSeconds ?? null,
      chain: chain ?? [],
      millis: millis(),
    };
  } catch (error) {
    return { kind: 'failed', server, error: messageOf(error), millis: millis() };
  }
}

function elasticIpIn(names: readonly string[]): NamedElasticIp | null {
  for (const name of names) {
    const publicIp = encodedAddress(name);
    const region = encodedRegion(name);
    if (publicIp !== null && region !== null) return { name, publicIp, region };
  }
  return null;
}
