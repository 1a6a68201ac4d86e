import { connect } from 'node:net';
import { type Clock, systemClock, type Timer } from '../clock.js';
import { type Address, withPort } from '../endpoint/address.js';
import { readGuard } from '../endpoint/guard.js';
import { PacketBudget } from '../endpoint/packet-budget.js';
import { DnsResolver } from '../endpoint/resolvers/dns.js';
import { EipPoolError, isEipPoolError, messageOf } from '../errors.js';
import { invalidOption, millis, type Reader, readOptions } from '../options.js';
import type { ElasticIpDescription } from './addresses.js';

/** What to wait for after an association, beyond the API. */
export interface SettleOptions {
  /**
   * The name whose DNS answer must be the new private address, such as a CNAME to the Elastic IP's own; `false`: none.
   * @defaultValue the Elastic IP's own, if it has a private answer before the change: the public view never changes
   */
  readonly name?: string | false | undefined;
  /**
   * DNS servers that are asked for it.
   * @defaultValue those of resolv.conf
   */
  readonly servers?: readonly string[] | undefined;
  /**
   * The TCP port that must accept a connection at the new private address.
   * @defaultValue not waited for
   */
  readonly port?: number | undefined;
  /**
   * Resolves when the database at the new private address answers; asked again while it rejects.
   * @defaultValue not waited for
   */
  readonly database?: ((address: Address) => Promise<void>) | undefined;
  /**
   * How long all of it may take, in milliseconds, from the first question to EC2 on; then `NOT_SETTLED`. An association that
   * EC2 has accepted stays.
   * @defaultValue 60_000
   */
  readonly deadlineMillis?: number | undefined;
  /** Told of each step as it is reached. */
  readonly onStep?: ((step: SettleStep) => void) | undefined;
}

export interface SettleStep {
  readonly kind: 'api' | 'dns' | 'port' | 'database';
  /** Since EC2 accepted the association. */
  readonly millis: number;
  readonly address: Address;
}

export interface Settled {
  readonly privateAddress: Address;
  readonly steps: readonly SettleStep[];
}

export interface ReadSettleOptions {
  readonly name: string | false | undefined;
  readonly servers: readonly string[];
  readonly port: number | undefined;
  readonly database: ((address: Address) => Promise<void>) | undefined;
  readonly deadlineMillis: number;
  readonly onStep: ((step: SettleStep) => void) | undefined;
}

export const DEADLINE_MILLIS: number = 60_000;
const FIRST_PAUSE_MILLIS = 250;
const LONGEST_PAUSE_MILLIS = 2_000;
const CONNECT_MILLIS = 2_000;
const LOOKUP_MILLIS = 1_000;

export function readSettleOptions(options: SettleOptions): ReadSettleOptions {
  return readOptions<ReadSettleOptions>(
    {
      name: readName,
      servers: readServers,
      port: readPort,
      database: readFunction as Reader<ReadSettleOptions['database']>,
      deadlineMillis: millis(DEADLINE_MILLIS, 0),
      onStep: readFunction as Reader<ReadSettleOptions['onStep']>,
    },
    options,
    'associate',
  );
}

/** What an association is waited for by. */
export interface Settling {
  readonly waits: ReadSettleOptions;
  /** Null: DNS is not waited for. */
  readonly name: string | null;
  readonly associationId: string;
  readonly describe: () => Promise<ElasticIpDescription>;
}

/** Waits until an association shows in the API, and then everywhere else that was asked for. */
export async function settle({ waits, name, associationId, describe }: Settling): Promise<Settled> {
  const begun = systemClock.now();
  const remaining = (): number => waits.deadlineMillis - (systemClock.now() - begun);
  const steps: SettleStep[] = [];
  const reach = (kind: SettleStep['kind'], address: Address): void => {
    const step = { kind, millis: systemClock.now() - begun, address };
    steps.push(step);
    waits.onStep?.(step);
  };
  const privateAddress = await until(
    `${associationId} to show in the API`,
    async () => {
      const { association } = await describe();
      return association?.associationId === associationId ? association.privateAddress : null;
    },
    remaining(),
  );
  reach('api', privateAddress);
  const dnsFollows = async (): Promise<void> => {
    if (name === null) return;
    await untilNamed(name, privateAddress, waits.servers, remaining());
    reach('dns', privateAddress);
  };
  await Promise.all([dnsFollows(), untilServes(privateAddress, waits, remaining, reach)]);
  return { privateAddress, steps };
}

async function untilServes(
  address: Address,
  { port, database }: ReadSettleOptions,
  remaining: () => number,
  reach: (kind: SettleStep['kind'], address: Address) => void,
): Promise<void> {
  if (port !== undefined) {
    const what = `${withPort(address, port)} to accept a connection`;
    await until(what, () => accepts(address, port), remaining());
    reach('port', address);
  }
  if (database !== undefined) {
    await untilResolved(`the database at ${address} to answer`, () => database(address), remaining());
    reach('database', address);
  }
}

/** Whether this process sees the private view of an Elastic IP's name, which changes with its association. */
export async function hasPrivateAnswer(name: string, servers: readonly string[]): Promise<boolean> {
  try {
    const { addresses } = await dnsResolver(servers).resolve(name, AbortSignal.timeout(2 * LOOKUP_MILLIS));
    const isPrivate = readGuard('private', 'private');
    return addresses.some((address) => isPrivate.allows(address));
  } catch {
    return false;
  }
}

/** With a budget of its own: an operator is waiting, and nobody else in the process asks for this name. */
function dnsResolver(servers: readonly string[]): DnsResolver {
  const budget = new PacketBudget(systemClock);
  return new DnsResolver({ servers, family: 0, timeoutMillis: LOOKUP_MILLIS, budget });
}

async function untilNamed(name: string, address: Address, servers: readonly string[], millis: number): Promise<void> {
  const resolver = dnsResolver(servers);
  let last = 'nothing yet';
  await until(
    () => `${name} to answer ${address} (it answers ${last})`,
    async () => {
      try {
        const { addresses } = await resolver.resolve(name, AbortSignal.timeout(2 * LOOKUP_MILLIS));
        last = addresses.join(', ') || 'no address';
        return addresses.includes(address) ? true : null;
      } catch (error) {
        last = messageOf(error);
        return null;
      }
    },
    millis,
  );
}

async function untilResolved(what: string, attempt: () => Promise<void>, millis: number): Promise<void> {
  let last = 'nothing yet';
  await until(
    () => `${what} (last: ${last})`,
    async () => {
      try {
        await attempt();
        return true;
      } catch (error) {
        last = messageOf(error);
        return null;
      }
    },
    millis,
  );
}

/**
 * Asks ever less often until the attempt returns something, or the deadline has passed. What it throws is thrown.
 * @throws `NOT_SETTLED`
 */
export async function until<T>(
  what: string | (() => string),
  attempt: () => Promise<T | null>,
  deadlineMillis: number = DEADLINE_MILLIS,
  clock: Clock = systemClock,
): Promise<T> {
  const begun = clock.now();
  for (let pause = FIRST_PAUSE_MILLIS; ; pause = Math.min(LONGEST_PAUSE_MILLIS, pause * 1.5)) {
    const result = await within(attempt, begun + deadlineMillis - clock.now(), clock);
    if (result !== null) return result;
    const left = begun + deadlineMillis - clock.now();
    if (left <= 0) {
      const waited = Math.round(clock.now() - begun);
      throw new EipPoolError(
        'NOT_SETTLED',
        `waited ${waited} ms for ${typeof what === 'string' ? what : what()}: gave up; what was done stays done`,
      );
    }
    await new Promise<void>((resolve) => clock.setAwaited(resolve, Math.min(left, pause)));
  }
}

/**
 * What comes before EC2 has accepted anything. At the end of its time the caller hears, and nothing more is sent.
 * @param what may be unknown then
 * @throws `NOT_SETTLED`
 */
export async function bounded<T>(
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  deadlineMillis: number,
  clock: Clock = systemClock,
): Promise<T> {
  const over = new AbortController();
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setAwaited(() => {
      const message = `EC2 did not answer within ${deadlineMillis} ms (deadlineMillis): gave up; ${what}`;
      reject(new EipPoolError('NOT_SETTLED', message));
      over.abort();
    }, deadlineMillis);
  });
  try {
    return await Promise.race([work(over.signal), late]);
  } finally {
    clock.clear(timer);
  }
}

/**
 * What an attempt returns; null where it has not by the deadline, or where the service fails or has no time for now, which
 * says nothing of what was done before.
 */
async function within<T>(attempt: () => Promise<T | null>, millis: number, clock: Clock): Promise<T | null> {
  let timer: Timer | undefined;
  const late = new Promise<null>(
    (resolve) => (timer = clock.setAwaited(() => resolve(null), Math.max(FIRST_PAUSE_MILLIS, millis))),
  );
  try {
    return await Promise.race([attempt(), late]);
  } catch (error) {
    if (isEipPoolError(error) && (error.code === 'API_UNAVAILABLE' || error.code === 'API_THROTTLED')) return null;
    throw error;
  } finally {
    clock.clear(timer);
  }
}

/** One TCP handshake; nothing is sent. */
async function accepts(address: Address, port: number): Promise<true | null> {
  return await new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: CONNECT_MILLIS });
    const end = (result: true | null) => (): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', end(true)).once('error', end(null)).once('timeout', end(null));
  });
}

const readName: Reader<string | false | undefined> = (value, name) => {
  if (value === undefined || value === false || (typeof value === 'string' && value !== '')) return value;
  throw invalidOption(name, 'a DNS name, or false', value);
};

const readServers: Reader<readonly string[]> = (value, name) => {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((server) => typeof server === 'string')) return value;
  throw invalidOption(name, "a list of DNS servers such as ['10.0.0.2']", value);
};

const readPort: Reader<number | undefined> = (value, name) => {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535)) {
    return value as number | undefined;
  }
  throw invalidOption(name, 'a port from 1 to 65535', value);
};

function readFunction(value: unknown, name: string): unknown {
  if (value === undefined || typeof value === 'function') return value;
  throw invalidOption(name, 'a function', value);
}
