import { isIP } from 'node:net';
import { EipPoolError } from '../errors.js';
import { invalidOption, millis, nearest } from '../options.js';

/** Who asks: a client inside the VPC (`private`) or one elsewhere (`public`). */
export type DnsView = 'private' | 'public';

/** One record of the lab's zone. */
export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'CNAME';
  /** An IP address, or for a CNAME the name it leads to. */
  readonly data: string;
  readonly ttlSeconds: number;
}

/** Lower-cased name → its records. */
export type Zone = ReadonlyMap<string, readonly DnsRecord[]>;

/** The addresses of one answer. */
export interface DnsAddresses {
  /**
   * IPv4 addresses.
   * @defaultValue none
   */
  readonly a?: readonly string[] | undefined;
  /**
   * IPv6 addresses.
   * @defaultValue none
   */
  readonly aaaa?: readonly string[] | undefined;
}

/** How the DNS server behaves, in both views unless said otherwise. */
export type DnsMode =
  /** Answers what its records say. */
  | { readonly kind: 'normal' }
  /** Each answer takes the next entry; A and AAAA questions count apart. Public view unaffected. */
  | { readonly kind: 'flicker'; readonly addresses: readonly (readonly string[])[] }
  /** Answers, but late. */
  | { readonly kind: 'delay'; readonly millis: number }
  /** Sends whatever the function makes of the query: one message or several, not checked. */
  | { readonly kind: 'raw'; readonly make: (query: Buffer) => Buffer | readonly Buffer[] }
  | { readonly kind: SimpleMode };

export type SimpleMode =
  /** RCODE 2, 3 and 5. */
  | 'servfail'
  | 'nxdomain'
  | 'refused'
  /** NOERROR without any record. */
  | 'empty'
  /** NOERROR with the CNAME and no address: dangling. */
  | 'cname-only'
  /** No reply at all. */
  | 'drop'
  /** Bytes that are no DNS message after its id. */
  | 'malformed'
  /** By UDP an empty reply with the TC bit, by TCP the full one. */
  | 'truncated'
  /** A correct reply to a query that nobody sent. */
  | 'wrong-id'
  /** A reply about another name, in its question and its answers. */
  | 'wrong-name'
  /** Two CNAMEs that lead to each other. */
  | 'cname-loop'
  /** A correct reply of more than 8,000 bytes, by UDP too. */
  | 'oversized'
  /** The public view for everybody, as when a VPC loses its DNS attributes. */
  | 'public';

const SIMPLE_MODES: readonly string[] = [
  'normal',
  'servfail',
  'nxdomain',
  'refused',
  'empty',
  'cname-only',
  'drop',
  'malformed',
  'truncated',
  'wrong-id',
  'wrong-name',
  'cname-loop',
  'oversized',
  'public',
] satisfies (SimpleMode | 'normal')[];

/** Checks what a caller gave as a mode: JavaScript tests have no compiler to do it. */
export function readMode(mode: DnsMode): DnsMode {
  switch (mode.kind) {
    case 'flicker':
      if (mode.addresses.length === 0) throw invalidOption('mode.addresses', 'at least one list of addresses', []);
      for (const list of mode.addresses) readAddresses(list, 'mode.addresses');
      return mode;
    case 'delay':
      millis(0, 0)(mode.millis, 'mode.millis');
      return mode;
    case 'raw':
      if (typeof mode.make !== 'function') throw invalidOption('mode.make', 'a function', mode.make);
      return mode;
    default:
      readKind(mode.kind);
      return mode;
  }
}

function readKind(kind: string): void {
  if (SIMPLE_MODES.includes(kind)) return;
  const known = [...SIMPLE_MODES, 'flicker', 'delay', 'raw'];
  throw new EipPoolError(
    'INVALID_OPTION',
    `option mode.kind: no mode '${kind}'; did you mean '${nearest(kind, known)}'?`,
  );
}

export function readAddresses(list: readonly string[], name: string, family?: 4 | 6): readonly string[] {
  for (const address of list) {
    const got = isIP(address);
    if (got === 0 || (family !== undefined && got !== family)) {
      throw invalidOption(name, family === undefined ? 'IP addresses' : `IPv${family} addresses`, address);
    }
  }
  return list;
}
