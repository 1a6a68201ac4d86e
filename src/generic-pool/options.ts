import type genericPool from 'generic-pool';
import dns from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import type { LookupFunction } from '../endpoint/lookup.js';
import { EipPoolError } from '../errors.js';
import { type FollowingConfig, type ReadFailoverOptions, readFailoverOptions } from '../failover/options.js';

/** Where a factory connects to, at this moment. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** The name; what TLS must verify. */
  readonly host: string;
  /**
   * A socket that is already dialling, for a driver's `stream` hook. The pool knows what becomes of it; a resource on it
   * is found dead when it is, and cut when its address stays silent. A resource may make several: it lives on all of them.
   */
  connect(): Socket;
  /** For drivers that take a `lookup`: answers the name with `address`. */
  readonly lookup: LookupFunction;
  /** Aborted when the name leaves `address` while the resource is being made. */
  readonly signal: AbortSignal;
}

export interface Factory<T> {
  create(target: Target): Promise<T>;
  destroy(resource: T): Promise<unknown> | void;
  validate?(resource: T): Promise<boolean>;
  /**
   * One round trip on an idle resource: tells whether an address that the name has left still lives. Without it, what is
   * borrowed there may always finish until `drainMillis`.
   */
  ping?(resource: T): Promise<unknown>;
  /**
   * Whether the server of a new resource takes writes: with `failover.role: 'writable'` each is asked before anybody gets
   * it, and one whose server does not is destroyed, and its server waited for.
   */
  isWritable?(resource: T): Promise<boolean> | boolean;
}

/** generic-pool's options, and where its resources connect to. */
export interface Options extends genericPool.Options, FollowingConfig {
  /** The name to follow; not together with `endpoint`. Without both, this is generic-pool as it is. */
  readonly host?: string | undefined;
  /** For {@link Target.connect}. */
  readonly port?: number | undefined;
}

/** @throws `INVALID_OPTION` for what a pool cannot do that does not know what its resources are used for */
export function readFailover({ failover }: Options, factory: Factory<unknown>): ReadFailoverOptions {
  const read = readFailoverOptions(failover);
  if (failover?.replay !== undefined && failover.replay !== 'none') {
    throw notHere('replay', 'this pool does not see what runs on its resources, so it can run nothing again');
  }
  if (read.role === 'writable' && factory.isWritable === undefined) {
    throw notHere('role', "'writable' needs a factory with isWritable(resource), which asks the server");
  }
  return read;
}

function notHere(option: string, why: string): EipPoolError {
  return new EipPoolError('INVALID_OPTION', `option failover.${option}: ${why}`);
}

/** What generic-pool itself calls of a factory, each on the factory that was given. */
export function wrapFactory(
  factory: Factory<unknown>,
  { create, destroy }: { create(): Promise<unknown>; destroy(resource: unknown): Promise<unknown> | void },
): object {
  const { validate } = factory;
  return {
    create,
    destroy,
    ...(validate === undefined ? {} : { validate: (resource: unknown) => validate.call(factory, resource) }),
  };
}

/** An address does not move, but the factory gets it in the same way. */
export function fixedFactory(factory: Factory<unknown>, host: string | undefined, port: number): object {
  if (host === undefined || isIP(host) === 0) return factory;
  const target: Target = {
    address: host,
    port,
    host,
    connect: () => connect({ host, port, noDelay: true, keepAlive: true }),
    lookup: dns.lookup as unknown as LookupFunction,
    signal: new AbortController().signal,
  };
  const create = (): Promise<unknown> => factory.create(target);
  return wrapFactory(factory, { create, destroy: (resource) => factory.destroy(resource) });
}
