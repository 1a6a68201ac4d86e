import type { Clock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import type { EipPoolError } from '../errors.js';
import type { Gate } from './gate.js';
import type { TrackedSocket } from './tracked-socket.js';

/** Where a socket should dial now. */
export type Target =
  | { readonly kind: 'address'; readonly address: Address; readonly gate: Gate }
  /** No answer yet; the socket is told when there is one. */
  | { readonly kind: 'unresolved' }
  | { readonly kind: 'refused'; readonly cause: EipPoolError };

/** What a socket needs of the set it belongs to. */
export interface SocketHost {
  readonly name: string;
  readonly clock: Clock;
  readonly connectTimeoutMillis: number;
  has(address: Address): boolean;
  /** Is there an address in the answer that is not in `tried`? */
  hasOther(tried: ReadonlySet<Address>): boolean;
  target(tried: ReadonlySet<Address>): Target;
  /** Asks for an answer; rejects when there is none to be had now. */
  resolve(): Promise<unknown>;
  report(address: Address, condition: Condition, cause?: unknown): void;
  suspect(address: Address, cause: unknown): void;
  connected(address: Address, millis: number): void;
  add(socket: TrackedSocket): void;
  remove(socket: TrackedSocket): void;
}

export interface SocketPlan {
  /** Asked after each failure, when no address is left untried: should the socket try again until it is destroyed? */
  readonly persist: (cause: unknown) => boolean;
}
