import { BlockList, isIP, SocketAddress } from 'node:net';

/** An IP address in canonical text: IPv4 dotted, IPv6 compressed in lower case; never IPv4 mapped into IPv6. */
export type Address = string;

/** The canonical form, or null for anything that is not exactly one IP address. */
export function canonicalAddress(text: unknown): Address | null {
  if (typeof text !== 'string') return null;
  const version = isIP(text);
  if (version === 4) return text;
  if (version !== 6 || text.includes('%')) return null;
  const address = new SocketAddress({ address: text, family: 'ipv6' }).address.toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  return mapped?.[1] ?? address;
}

export function familyOf(address: Address): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** For messages and server lists: `10.0.0.1:5432`, `[fd00::1]:5432`. */
export function withPort(address: Address, port: number): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

export interface Cidr {
  readonly network: Address;
  readonly prefix: number;
}

/** Parses `10.0.0.0/8`, or a lone address as the range of itself; null if it is neither. */
export function parseCidr(text: unknown): Cidr | null {
  if (typeof text !== 'string') return null;
  const [head, tail, ...rest] = text.split('/');
  const network = canonicalAddress(head);
  if (network === null || rest.length > 0) return null;
  const bits = familyOf(network) === 6 ? 128 : 32;
  if (tail === undefined) return { network, prefix: bits };
  if (!/^\d{1,3}$/.test(tail) || Number(tail) > bits) return null;
  return { network, prefix: Number(tail) };
}

/** A set of address ranges. */
export class Ranges {
  readonly #list: BlockList = new BlockList();

  constructor(cidrs: readonly Cidr[]) {
    for (const { network, prefix } of cidrs) this.#list.addSubnet(network, prefix, type(network));
  }

  has(address: Address): boolean {
    return this.#list.check(address, type(address));
  }
}

function type(address: Address): 'ipv4' | 'ipv6' {
  return familyOf(address) === 6 ? 'ipv6' : 'ipv4';
}
