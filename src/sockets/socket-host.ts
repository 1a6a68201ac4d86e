import type { Clock } from '../clock.js';
import type { Address, Service } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import type { EipPoolError } from '../errors.js';
import type { Gate } from './gate.js';
import type { FollowedSocket } from './followed-socket.js';
import type { Way } from './way.js';

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
  hasOther(way: Way, tried: ReadonlySet<Address>): boolean;
  target(way: Way, tried: ReadonlySet<Address>): Target;
  /** Asks for an answer; rejects when there is none to be had now. */
  resolve(): Promise<unknown>;
  report(service: Service, condition: Condition, cause?: unknown): void;
  /** An attempt to connect failed, which is news to everybody who is about to make one. */
  unreachable(service: Service, cause: Error): void;
  suspect(service: Service, cause: unknown): void;
  connected(service: Service, millis: number): void;
  add(socket: FollowedSocket): void;
  remove(socket: FollowedSocket): void;
}

export interface SocketPlan {
  /** Asked after each failure, when no address is left untried: should the socket try again until it is destroyed? */
  readonly persist: (cause: unknown) => boolean;
  /** Whether a failure is wanted at once rather than a delay, so that earlier failures do not hold the attempt back. */
  readonly hurried?: () => boolean;
  /** Sockets of the same party go through the gate as one attempt: one log-in that takes several. */
  readonly party?: object;
}
