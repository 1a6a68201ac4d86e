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

/** An order of addresses: IPv4 before IPv6, and each by its number. */
export function compareAddresses(a: Address, b: Address): number {
  const [one, other] = [sortKey(a), sortKey(b)];
  return one < other ? -1 : Number(one > other);
}

function sortKey(address: Address): string {
  if (familyOf(address) === 4) return `4 ${address.replace(/\d+/g, (octet) => octet.padStart(3, '0'))}`;
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? [] : Array<string>(8 - front.length - back.length).fill('0');
  return `6 ${[...front, ...zeros, ...back].map((group) => group.padStart(4, '0')).join(':')}`;
}

/** For messages and server lists: `10.0.0.1:5432`, `[fd00::1]:5432`. */
export function withPort(address: Address, port: number): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What listens on one port of an address. Several services may share an address; each lives and dies by itself. */
export interface Service {
  readonly address: Address;
  readonly port: number;
}

/** A map whose keys are services, each the same as any other object of its address and port. */
export class ServiceMap<V> {
  readonly #byAddress: Map<Address, Map<number, V>> = new Map();

  get({ address, port }: Service): V | undefined {
    return this.#byAddress.get(address)?.get(port);
  }

  set({ address, port }: Service, value: V): this {
    const ports = this.#byAddress.get(address);
    if (ports === undefined) this.#byAddress.set(address, new Map([[port, value]]));
    else ports.set(port, value);
    return this;
  }

  delete({ address, port }: Service): void {
    const ports = this.#byAddress.get(address);
    if (ports?.delete(port) === true && ports.size === 0) this.#byAddress.delete(address);
  }

  /** The name has left the address, and with it every service there. */
  deleteAddress(address: Address): void {
    this.#byAddress.delete(address);
  }

  clear(): void {
    this.#byAddress.clear();
  }

  *entries(): IterableIterator<[Service, V]> {
    for (const [address, ports] of this.#byAddress) {
      for (const [port, value] of ports) yield [{ address, port }, value];
    }
  }
}

/**
 * The IPv4 addresses that an IPv6 address leads to, where a translator or a tunnel takes it at its word. Sources: RFC 4291
 * 2.5.5.1 (compatible), RFC 2765 (translated), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214
 * (ISATAP).
 */
export function embeddedAddresses(address: Address): readonly Address[] {
  if (familyOf(address) === 4 || address === '::1') return [];
  const bytes = bytesOf(address);
  const at = (...places: readonly number[]): Address => places.map((place) => bytes[place]).join('.');
  const starts = (...prefix: readonly number[]): boolean => prefix.every((byte, i) => bytes[i] === byte);
  const found: Address[] = [];
  const nothing = Array<number>(8).fill(0);
  if (starts(...nothing, 0, 0, 0, 0) || starts(...nothing, 0xff, 0xff, 0, 0)) found.push(at(12, 13, 14, 15));
  if (starts(0, 0x64, 0xff, 0x9b, ...nothing)) found.push(at(12, 13, 14, 15));
  // A prefix for local use may be of any length; byte 8 is left out by those that are short.
  if (starts(0, 0x64, 0xff, 0x9b, 0, 1))
    found.push(at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), at(12, 13, 14, 15));
  if (starts(0x20, 0x02)) found.push(at(2, 3, 4, 5));
  if (starts(0x20, 0x01, 0, 0)) {
    const client = bytes.slice(12).map((byte) => byte ^ 0xff);
    found.push(at(4, 5, 6, 7), client.join('.'));
  }
  if ((bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe)
    found.push(at(12, 13, 14, 15));
  return found;
}

/** The 16 bytes of an IPv6 address in canonical text. */
function bytesOf(address: Address): readonly number[] {
  const hextets = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((part) => {
          if (part.includes('.')) return part.split('.').map(Number);
          const value = Number.parseInt(part, 16);
          return [value >> 8, value & 0xff];
        });
  const [head = '', tail] = address.split('::');
  const [left, right] = [hextets(head), hextets(tail ?? '')];
  return [...left, ...Array<number>(16 - left.length - right.length).fill(0), ...right];
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
