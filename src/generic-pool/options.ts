import type genericPool from 'generic-pool';
import type { Socket } from 'node:net';
import type { LookupFunction } from '../endpoint/lookup.js';
import type { FollowingConfig } from '../failover/options.js';

/** Where a factory connects to, at this moment. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** The name; what TLS must verify. */
  readonly host: string;
  /**
   * A socket that is already dialling, for a driver's `stream` hook. The pool knows what becomes of it; a resource on it
   * is found dead when it is, and cut when its address stays silent.
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
}

/** generic-pool's options, and where its resources connect to. */
export interface Options extends genericPool.Options, FollowingConfig {
  /** The name to follow; not together with `endpoint`. Without both, this is generic-pool as it is. */
  readonly host?: string | undefined;
  /** For {@link Target.connect}. */
  readonly port?: number | undefined;
}
