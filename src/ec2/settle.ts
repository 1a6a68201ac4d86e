import { connect } from 'node:net';
import { type Clock, systemClock } from '../clock.js';
import { type Address, withPort } from '../endpoint/address.js';
import { PacketBudget } from '../endpoint/packet-budget.js';
import { DnsResolver } from '../endpoint/resolvers/dns.js';
import { EipPoolError, messageOf } from '../errors.js';
import { invalidOption, millis, type Reader, readOptions } from '../options.js';
import type { ElasticIpDescription } from './addresses.js';

/** What to wait for after an association, beyond the API. */
export interface SettleOptions {
  /**
   * The name whose DNS answer must be the new private address: `true` for the Elastic IP's own, or a CNAME to it. For
   * processes inside the VPC; the public view never changes.
   * @defaultValue not waited for
   */
  readonly name?: string | true | undefined;
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
   * How long all of it may take, in milliseconds; then `NOT_SETTLED`. The association stays.
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
  readonly name: string | true | undefined;
  readonly servers: readonly string[];
  readonly port: number | undefined;
  readonly database: ((address: Address) => Promise<void>) | undefined;
  readonly deadlineMillis: number;
  readonly onStep: ((step: SettleStep) => void) | undefined;
}

const DEADLINE_MILLIS = 60_000;
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

/** Waits until an association shows in the API, and then everywhere else that was asked for. */
export async function settle(about: {
  readonly waits: ReadSettleOptions;
  readonly associationId: string;
  readonly describe: () => Promise<ElasticIpDescription>;
  readonly publicName: () => Promise<string>;
}): Promise<Settled> {
  const { waits, associationId, describe, publicName } = about;
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
    if (waits.name === undefined) return;
    const name = waits.name === true ? await publicName() : waits.name;
    await untilNamed(name, privateAddress, waits.servers, remaining());
    reach('dns', privateAddress);
  };
  const serverAnswers = async (): Promise<void> => {
    const { port, database } = waits;
    if (port !== undefined) {
      await until(
        `${withPort(privateAddress, port)} to accept a connection`,
        () => accepts(privateAddress, port),
        remaining(),
      );
      reach('port', privateAddress);
    }
    if (database !== undefined) {
      await untilResolved(`the database at ${privateAddress} to answer`, () => database(privateAddress), remaining());
      reach('database', privateAddress);
    }
  };
  await Promise.all([dnsFollows(), serverAnswers()]);
  return { privateAddress, steps };
}

async function untilNamed(name: string, address: Address, servers: readonly string[], millis: number): Promise<void> {
  // A budget of its own: an operator is waiting, and nobody else in the process asks for this name.
  const budget = new PacketBudget(systemClock);
  const resolver = new DnsResolver({ servers, family: 0, timeoutMillis: LOOKUP_MILLIS, budget });
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
    const result = await attempt();
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

const readName: Reader<string | true | undefined> = (value, name) => {
  if (value === undefined || value === true || (typeof value === 'string' && value !== '')) return value;
  throw invalidOption(name, 'a DNS name, or true', value);
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
