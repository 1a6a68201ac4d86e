import { EipPoolError } from '../errors.js';
import { invalidOption, type Reader } from '../options.js';
import { type Address, type Cidr, embeddedAddresses, parseCidr, Ranges } from './address.js';
import { encodedAddress } from './elastic-ip-name.js';

/** RFC 1918, RFC 6598 (shared), RFC 4193 (ULA), loopback. */
const PRIVATE: readonly string[] = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  '127.0.0.0/8',
  '::1/128',
];

/**
 * Never a server's address, whatever is allowed: link-local with EC2's metadata, resolver and time addresses
 * (169.254.0.0/16, fd00:ec2::/32), "this host" (which Linux dials as loopback), multicast, broadcast.
 */
const NEVER: readonly string[] = [
  '169.254.0.0/16',
  'fd00:ec2::/32',
  'fe80::/10',
  '0.0.0.0/8',
  '::/128',
  '224.0.0.0/4',
  '255.255.255.255/32',
  'ff00::/8',
];

/** Decides which addresses may be dialled. */
export interface Guard {
  allows(address: Address): boolean;
}

const cidrs = (texts: readonly string[]): Cidr[] =>
  texts.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr === null ? [] : [cidr];
  });

const never: Ranges = new Ranges(cidrs(NEVER));

/** Also in the clothes of IPv6: a NAT64 gateway or a 6to4 relay would take them off. */
function isNever(address: Address): boolean {
  return never.has(address) || embeddedAddresses(address).some((inner) => never.has(inner));
}

function guardOf(ranges: Ranges): Guard {
  return { allows: (address) => ranges.has(address) && !isNever(address) };
}

/** Unless something else is asked for: one for all, since an application may make an endpoint for each request. */
const privateGuard: Guard = guardOf(new Ranges(cidrs(PRIVATE)));

/** Reads the option `allow`: `'private'`, `'any'`, or a list of CIDRs in which `'private'` may stand too. */
export const readGuard: Reader<Guard> = (value, name) => {
  if (value === undefined || value === 'private') return privateGuard;
  if (value === 'any') return { allows: (address) => !isNever(address) };
  const expected = `'private', 'any' or a list of CIDRs such as ['private', '203.0.113.0/24']`;
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, expected, value);
  return guardOf(new Ranges(value.flatMap((item: unknown, i) => readRange(item, `${name}[${i}]`, expected))));
};

function readRange(item: unknown, name: string, expected: string): Cidr[] {
  if (item === 'private') return cidrs(PRIVATE);
  const cidr = parseCidr(item);
  if (cidr === null) throw invalidOption(name, expected, item);
  if (isNever(cidr.network) && cidr.prefix >= 8) {
    throw invalidOption(
      name,
      'a range that a server can be in (link-local and metadata addresses are never dialled)',
      item,
    );
  }
  return [cidr];
}

/** The name answered, but only with addresses that may not be dialled; nothing was sent to them. */
export class PublicAddressError extends EipPoolError {
  override readonly name: string = 'PublicAddressError';
  /** What the name answered. */
  readonly addresses: readonly Address[];

  constructor(endpoint: string, addresses: readonly Address[], chain: readonly string[]) {
    super('PUBLIC_ADDRESS', explain(endpoint, addresses, chain));
    this.addresses = addresses;
  }
}

function explain(endpoint: string, addresses: readonly Address[], chain: readonly string[]): string {
  const list = addresses.join(', ');
  const head = `${endpoint} answered ${list}, which is outside the allowed ranges; nothing was sent there`;
  const names = [endpoint, ...chain];
  const elastic = names.find((candidate) => encodedAddress(candidate) !== null);
  const encoded = elastic === undefined ? null : encodedAddress(elastic);
  const allow = `To allow it, set follow.allow, e.g. ['private', '${addresses[0] ?? ''}'].`;
  if (encoded !== null && addresses.includes(encoded)) {
    return (
      `${head}. ${elastic} encodes this very address: it is the public view of an Elastic IP. Either this process runs ` +
      `outside the VPC, or the VPC lacks enableDnsSupport or enableDnsHostnames (over peering: ` +
      `AllowDnsResolutionFromRemoteVpc), or the Elastic IP is not associated and may be someone else's by now. ${allow}`
    );
  }
  return (
    `${head}. If the name once led to an Elastic IP of yours, that address may be someone else's by now. ` +
    `If the VPC uses public or global IPv6 ranges, say so. ${allow}`
  );
}

export interface Screened {
  readonly allowed: readonly Address[];
  readonly refused: readonly Address[];
}

/** Splits an answer into what may be dialled and what may not. */
export function screen(addresses: readonly Address[], guard: Guard): Screened {
  const allowed = addresses.filter((address) => guard.allows(address));
  return { allowed, refused: addresses.filter((address) => !allowed.includes(address)) };
}
