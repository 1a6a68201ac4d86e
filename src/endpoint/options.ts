import dns from 'node:dns';
import { type Clock, systemClock } from '../clock.js';
import { invalidOption, millis, number, oneOf, type Reader, readOptions } from '../options.js';
import { canonicalAddress } from './address.js';
import type { Mode } from './adopt.js';
import type { Resolver } from './answer.js';
import { type Guard, readGuard } from './guard.js';
import { processBudget } from './packet-budget.js';
import { FIRST_ANSWER_TIMES } from './question.js';
import { AutoResolver } from './resolvers/auto.js';
import { DnsResolver, type Family } from './resolvers/dns.js';
import { Servers } from './resolvers/servers.js';
import { SystemResolver } from './resolvers/system.js';
import { nameService } from './system/name-service.js';

/** Who is asked: DNS servers, the system's look-up, a fixed address, or an object with `resolve(name, signal)`. */
export type ResolverOption = 'dns' | 'system' | { readonly address: string } | Resolver;

/** How a name is followed. All durations are milliseconds. */
export interface FollowOptions {
  /**
   * Who is asked; several sources pass the same rules.
   * Unset: where the driver would have gone. Where the system's files (nsswitch.conf, the hosts file, the search list of
   * resolv.conf) lead to DNS, DNS is asked; where they name an address, or DNS does not know the name, the system's lookup
   * is. A change of these files is noticed within a second.
   * @defaultValue unset; `'dns'` where `servers` is given
   */
  readonly resolver?: ResolverOption | readonly ResolverOption[] | undefined;
  /**
   * DNS servers, `address` or `address:port`, in the order in which they are asked; one that does not answer comes last
   * until it does.
   * @defaultValue those of resolv.conf
   */
  readonly servers?: readonly string[] | undefined;
  /**
   * 4 or 6: only such addresses. 0: both; IPv4 is dialled first.
   * @defaultValue 0
   */
  readonly family?: Family | undefined;
  /**
   * `'single'`: an answer's addresses are valid until the next answer. `'set'`, for names that rotate through their
   * servers by design: what any answer has named within `returnAfterMillis` is valid.
   * @defaultValue 'single'
   */
  readonly mode?: Mode | undefined;
  /**
   * How often the name is asked while all is well, ± 10 %. A move of a server that stays alive is noticed this late.
   * At least 100: a process sends no more than 10 DNS packets a second.
   * @defaultValue 1_000
   */
  readonly intervalMillis?: number | undefined;
  /**
   * How often it is asked for 30 s after something failed; then ever less, down to `intervalMillis`. At least 100.
   * @defaultValue 100
   */
  readonly suspectIntervalMillis?: number | undefined;
  /**
   * How long one question may take, over all servers: then it counts as an error. While there is no answer yet, a late one
   * is taken, up to ten times this; DNS that is known to be slow gets twice what its last answer took. The system's
   * lookup has its own time-outs.
   * @defaultValue 1_000
   */
  readonly lookupTimeoutMillis?: number | undefined;
  /**
   * How long an address that was left for a newer one may be held back because the name flickers. `0`: not at all. Whoever
   * named the newer one is heard first in any case.
   * @defaultValue 60_000
   */
  readonly quarantineMillis?: number | undefined;
  /**
   * How long every answer must name a quarantined address before it comes back; in `'set'` mode, how long an address
   * stays valid without being named.
   * @defaultValue 10_000
   */
  readonly returnAfterMillis?: number | undefined;
  /**
   * How old the last good answer may grow before new connections are refused with `ANSWER_TOO_OLD`.
   * Open connections stay.
   * @defaultValue Infinity
   */
  readonly maxAnswerAgeMillis?: number | undefined;
  /**
   * Which addresses may be dialled: `'private'` (RFC 1918, 100.64.0.0/10, IPv6 unique local, loopback), `'any'`, or a
   * list of CIDRs in which `'private'` may stand too. Link-local, metadata and multicast addresses never.
   * @defaultValue 'private'
   */
  readonly allow?: 'private' | 'any' | readonly string[] | undefined;
  /**
   * How long one connection attempt may take until TCP is connected.
   * @defaultValue 2_000
   */
  readonly connectTimeoutMillis?: number | undefined;
  /**
   * How many attempts to one address may be under way, log-in included. It begins with 1 and doubles with each
   * success.
   * @defaultValue 4
   */
  readonly connectConcurrency?: number | undefined;
  /** For tests: owns every timer. @defaultValue the system's clock */
  readonly clock?: Clock | undefined;
}

export interface ReadFollowOptions {
  readonly resolvers: readonly Resolver[];
  readonly mode: Mode;
  readonly intervalMillis: number;
  readonly suspectIntervalMillis: number;
  readonly lookupTimeoutMillis: number;
  readonly quarantineMillis: number;
  readonly returnAfterMillis: number;
  readonly maxAnswerAgeMillis: number;
  readonly guard: Guard;
  readonly connectTimeoutMillis: number;
  readonly connectConcurrency: number;
  readonly clock: Clock;
}

/** No timer of Node's can be set for longer. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** Ten packets a second, so a shorter interval could not be kept. */
const SHORTEST_INTERVAL = 100;

interface Raw extends Omit<ReadFollowOptions, 'resolvers' | 'guard'> {
  readonly resolver: readonly ResolverOption[] | undefined;
  readonly servers: readonly string[] | undefined;
  readonly family: Family;
  readonly allow: Guard;
}

export function readFollowOptions(input: unknown, where: string = 'follow'): ReadFollowOptions {
  const raw = readOptions<Raw>(
    {
      resolver: readResolvers,
      servers: readServers,
      family: oneOf(0, [0, 4, 6]),
      mode: oneOf('single', ['single', 'set']),
      intervalMillis: millis(1_000, SHORTEST_INTERVAL, LONGEST_TIMER),
      suspectIntervalMillis: millis(100, SHORTEST_INTERVAL, LONGEST_TIMER),
      lookupTimeoutMillis: millis(1_000, 1, LONGEST_TIMER),
      quarantineMillis: millis(60_000, 0),
      returnAfterMillis: millis(10_000, 0),
      maxAnswerAgeMillis: number(Infinity, 1, Infinity, 'milliseconds'),
      allow: readGuard,
      connectTimeoutMillis: millis(2_000, 1, LONGEST_TIMER),
      connectConcurrency: wholeNumber(4),
      clock: (value) => (value as Clock | undefined) ?? systemClock,
    },
    input,
    where,
  );
  const { resolver, servers, family, allow, ...rest } = raw;
  const make = resolverMaker(servers ?? [], family, rest.lookupTimeoutMillis);
  const options = resolver ?? (servers === undefined ? ['auto'] : ['dns']);
  return Object.freeze({ ...rest, guard: allow, resolvers: options.map(make) });
}

function wholeNumber(defaultValue: number): Reader<number> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (!Number.isInteger(value) || (value as number) < 1)
      throw invalidOption(name, 'a whole number of at least 1', value);
    return value as number;
  };
}

function resolverMaker(
  servers: readonly string[],
  family: Family,
  timeoutMillis: number,
): (option: ResolverOption | 'auto') => Resolver {
  const budget = processBudget;
  const firstMillis = FIRST_ANSWER_TIMES * timeoutMillis;
  const options = { servers, family, timeoutMillis, firstMillis, budget };
  const dns = (known?: Servers): DnsResolver => new DnsResolver({ ...options, known });
  const system = (): SystemResolver => new SystemResolver({ family, budget, names: nameService() });
  return (option) => {
    if (option === 'auto') return autoResolver(family, dns, system());
    if (option === 'dns') return dns();
    if (option === 'system') return system();
    if (typeof option === 'object' && 'resolve' in option) return option;
    const { address } = option;
    return { name: 'fixed', resolve: async () => ({ addresses: [address] }) };
  };
}

function autoResolver(family: Family, dns: (known: Servers) => DnsResolver, system: SystemResolver): AutoResolver {
  // They are the same servers, whatever form of the name they are asked for.
  const known = new Servers();
  return new AutoResolver({
    dns: () => dns(known),
    system,
    whereabouts: (name) => nameService().whereabouts(name, family),
    clock: systemClock,
    sharedAs: `auto ${family}`,
  });
}

const readResolvers: Reader<readonly ResolverOption[] | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const expected = `'dns', 'system', { address }, an object with name and resolve(name, signal), or a list of these`;
  if (list.length === 0) throw invalidOption(name, expected, value);
  return list.map((item) => {
    if (item === 'dns' || item === 'system') return item;
    if (typeof item !== 'object' || item === null) throw invalidOption(name, expected, item);
    const { address, resolve } = item as { address?: unknown; resolve?: unknown };
    if (typeof resolve === 'function') return item as Resolver;
    const canonical = canonicalAddress(address);
    if (canonical === null) throw invalidOption(`${name}.address`, 'an IP address', address);
    return { address: canonical };
  });
};

/** It knows what a DNS server's address is, and is never asked anything. */
let addressReader: dns.Resolver | undefined;

const readServers: Reader<readonly string[] | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  const expected = `a list of DNS servers such as ['10.0.0.2', '10.0.0.3:53', '[fd00::2]:53']`;
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, expected, value);
  return value.map((server: unknown, i) => {
    if (typeof server !== 'string') throw invalidOption(`${name}[${i}]`, expected, server);
    try {
      (addressReader ??= new dns.Resolver()).setServers([server]);
    } catch {
      throw invalidOption(`${name}[${i}]`, expected, server);
    }
    return server;
  });
};
