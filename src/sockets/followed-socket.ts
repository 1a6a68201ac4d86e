import type { Socket } from 'node:net';
import type { Service } from '../endpoint/address.js';
import type { EndReason } from '../errors.js';
import type { Connection } from './connection.js';
import type { SocketState } from './socket-state.js';

/** What net itself counts and knows of a connection. */
interface OfNet extends Pick<Socket, 'bytesRead' | 'bytesWritten' | 'destroyed' | 'writableLength'> {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** A socket that its set keeps in agreement with the answer, whoever made it. */
export interface FollowedSocket extends OfNet {
  readonly state: SocketState;
  /** What it is connected to, or was; null before. */
  readonly service: Service | null;
  readonly connection: Connection | null;
  /** How long it has read nothing, as the watch saw it. */
  quietMillis: number;
  /** Is it ending by our own or the application's wish? */
  readonly ending: boolean;
  once(event: 'close', listener: () => void): unknown;
  /** The answer, or what may be dialled, has changed. */
  reconsider(): void;
  /** An attempt of another socket to connect to this service has just failed. */
  shareFailure(service: Service, cause: Error): void;
  /** The server at its address is dead: a login under way has failed. */
  failHandshake(reason: EndReason): void;
  /** Its address was left, or is dead: the end of this socket is ours from now on. */
  leave(): void;
  /** Ends it now, work or not. */
  cut(reason: EndReason): void;
  /** Its endpoint is closed. */
  close(reason: EndReason): void;
  /** Ends it while nobody uses it. */
  farewell(reason: EndReason): void;
}
