import { errorMonitor } from 'node:events';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { type Address, canonicalAddress, type Service } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import { codeOf, type EndReason, errorFor } from '../errors.js';
import type { ReadAdoptOptions } from './adopt-options.js';
import { closedBy, isAttemptFailure, isLocal, leftMeanwhile } from './attempt.js';
import type { Connection, Prober } from './connection.js';
import type { FollowedSocket } from './followed-socket.js';
import type { SocketState } from './socket-state.js';

/** What an adopted socket needs of the set it belongs to. */
export interface AdoptingHost {
  readonly name: string;
  readonly clock: Clock;
  has(address: Address): boolean;
  report(service: Service, condition: Condition, cause?: unknown): void;
  suspect(service: Service, cause: unknown): void;
  add(socket: FollowedSocket): void;
  remove(socket: FollowedSocket): void;
  /** A socket has reached this service, which may not be where the name points. */
  arrived(service: Service): void;
  register(prober: Prober): () => void;
}

/** How long the other side may take to answer the end of a socket; a host that is gone never does. */
const CLOSE_MILLIS = 100;
/** As an adapter's defaults: `silenceMillis` and `probeTimeoutMillis`. */
const [SILENCE_MILLIS, PROBE_TIMEOUT_MILLIS] = [1_000, 1_000];

/** Those that are followed, by whichever endpoint. */
const adopted: WeakMap<Socket, AdoptedSocket> = new WeakMap();

/**
 * A socket of somebody else's that an endpoint follows. It stays a plain socket for its owner: it is listened to, and ended
 * when its address is left; nothing else is done to it. Its state is read off the socket each time, because an owner may
 * remove every listener.
 */
export class AdoptedSocket implements FollowedSocket {
  readonly connection: Connection;
  quietMillis = 0;
  readonly #socket: Socket;
  readonly #host: AdoptingHost;
  readonly #ping: ReadAdoptOptions['ping'];
  /** The addresses that it may be dialling. */
  readonly #found: Set<Address> = new Set();
  #service: Service | null = null;
  #leaving = false;
  #ending = false;
  #over = false;
  #unregister: () => void = () => {};

  /** Follows it from now on; one that is followed already stays as it is, and of one that has ended there is nothing to follow. */
  static adopt(socket: Socket, host: AdoptingHost, options: ReadAdoptOptions): void {
    const known = adopted.get(socket);
    if (socket.destroyed || (known !== undefined && !known.#over)) return;
    const followed = new AdoptedSocket(socket, host, options);
    adopted.set(socket, followed);
    followed.#begin();
  }

  private constructor(socket: Socket, host: AdoptingHost, { drainMillis, ping }: ReadAdoptOptions) {
    this.#socket = socket;
    this.#host = host;
    this.#ping = ping;
    this.connection = new OwnersConnection(socket, drainMillis, ping === undefined ? Infinity : SILENCE_MILLIS);
  }

  get state(): SocketState {
    const address = this.service?.address ?? null;
    if (this.#over || this.#socket.destroyed) return { kind: 'closed', address };
    if (address === null) return { kind: 'waiting', address: null, ticket: null };
    return { kind: this.#leaving ? 'leaving' : 'open', address };
  }

  get service(): Service | null {
    const { remoteAddress, remotePort, connecting } = this.#socket;
    if (this.#service !== null || connecting) return this.#service;
    const address = canonicalAddress(remoteAddress);
    if (address !== null && remotePort !== undefined) this.#service = { address, port: remotePort };
    return this.#service;
  }

  get ending(): boolean {
    return this.#ending;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten;
  }

  get destroyed(): boolean {
    return this.#over || this.#socket.destroyed;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  once(event: 'close', listener: () => void): unknown {
    return this.#socket.once(event, listener);
  }

  /** Its owner chose where to dial: where none of that is the name's any more, it may choose anew. */
  reconsider(): void {
    if (!this.#socket.connecting || this.#found.size === 0) return;
    const addresses = [...this.#found];
    const [first] = addresses;
    if (first === undefined || addresses.some((address) => this.#host.has(address))) return;
    this.cut(leftMeanwhile(this.#host.name, first, 0));
  }

  /** Its attempts are its owner's. */
  shareFailure(): void {}

  failHandshake(): void {}

  leave(): void {
    this.#leaving = true;
  }

  /** Of an address that only was left, the other side may say goodbye; nobody waits for one that is dead. */
  cut(reason: EndReason): void {
    if (this.destroyed || this.#ending) return;
    // Its owner knew of the move before the endpoint did, or the name came back while it drained.
    const isCurrent = this.#service !== null && this.#host.has(this.#service.address);
    if (reason.code === 'ADDRESS_LEFT' && isCurrent) return void (this.#leaving = false);
    this.#leaving = true;
    this.#ending = true;
    const socket = this.#socket;
    const error = errorFor(reason);
    // Nothing that a failover does may end the process of an owner who listens only to 'close'.
    socket.on('error', () => {});
    if (reason.code !== 'ADDRESS_LEFT' || socket.connecting) {
      socket.destroy(error);
      return;
    }
    const { clock } = this.#host;
    const timer = clock.set(() => void (this.#over || socket.destroy(error)), CLOSE_MILLIS);
    socket.once('close', () => clock.clear(timer));
    socket.end();
  }

  /** It is its owner's again; an end that has begun goes on. */
  close(): void {
    if (!this.#leaving) this.#onClosed();
  }

  farewell(reason: EndReason): void {
    this.cut(reason);
  }

  #begin(): void {
    const socket = this.#socket;
    // Each of them is heard without being a listener that would change what the socket does for its owner.
    socket.on(errorMonitor as unknown as 'error', (error: Error) => this.#onError(error));
    // Net's own listener ends this side, and then nobody knows who was first.
    socket.prependOnceListener('end', () => this.#onEnd());
    socket.once('close', () => this.#onClosed());
    if (isConnected(socket)) {
      this.#host.add(this);
      this.#onOpen();
      return;
    }
    socket.on('lookup', (_error: Error | null, address: unknown) => this.#onLookup(address));
    socket.once('connect', () => this.#onOpen());
    if (socket.connecting) this.#host.add(this);
  }

  #onLookup(found: unknown): void {
    const address = canonicalAddress(found);
    if (address !== null) this.#found.add(address);
  }

  #onOpen(): void {
    const { service } = this;
    // It is a pipe, or has ended already.
    if (this.#over || service === null) return this.#onClosed();
    this.#host.add(this);
    if (this.#ping !== undefined) this.#unregister = this.#host.register(proberOf(service.port, this.#ping));
    this.#host.report(service, 'usable');
    this.#host.arrived(service);
  }

  #onError(error: Error): void {
    if (this.#ending || this.#over) return;
    if (this.#service !== null) return this.#host.suspect(this.#service, error);
    const failures = (error as { readonly errors?: readonly Error[] }).errors ?? [error];
    for (const failure of failures) {
      const { address, port } = failure as Error & Partial<Service>;
      if (!isAttemptFailure(failure) || isLocal(failure) || address === undefined || port === undefined) continue;
      if (codeOf(failure) !== 'ECONNABORTED') this.#host.report({ address, port }, 'refusing', failure);
    }
  }

  /** The other side ended it, and nobody here had asked for it. */
  #onEnd(): void {
    if (this.#ending || this.#socket.writableEnded || this.#service === null) return;
    this.#host.suspect(this.#service, closedBy(this.#host.name));
  }

  #onClosed(): void {
    this.#over = true;
    this.#unregister();
    this.#host.remove(this);
  }
}

function isConnected(socket: Socket): boolean {
  return !socket.connecting && socket.remoteAddress !== undefined;
}

/** Only its owner knows what runs on it: it may always be work, so it always drains. */
class OwnersConnection implements Connection {
  readonly drainMillis: number;
  readonly drainOption: string = 'drainMillis';
  readonly silenceMillis: number;
  readonly #socket: Socket;
  #read = 0;
  #seen = 0;
  #answered = 0;

  constructor(socket: Socket, drainMillis: number, silenceMillis: number) {
    this.#socket = socket;
    this.drainMillis = drainMillis;
    this.silenceMillis = silenceMillis;
  }

  isLeased(): boolean {
    return true;
  }

  /**
   * Was anything written after the last byte that was read? Of what came and went between two looks nobody knows the order:
   * it counts as waiting. That is no evidence of anything, it is only a reason to ask the server.
   */
  isWaiting(): boolean {
    if (this.silenceMillis === Infinity) return false;
    const { bytesRead, bytesWritten } = this.#socket;
    if (bytesRead !== this.#read) [this.#read, this.#answered] = [bytesRead, this.#seen];
    this.#seen = bytesWritten;
    return bytesWritten > this.#answered;
  }

  /** Its owner hands it out. */
  retire(): void {}

  goodbye(): void {
    this.#socket.end();
  }
}

type Ping = NonNullable<ReadAdoptOptions['ping']>;

function proberOf(port: number, ping: Ping): Prober {
  const put = (socket: Socket): null => {
    const failed = (): unknown => socket.destroy();
    // What the caller's function throws, or rejects with, says nothing of the server.
    socket.once('connect', () => void Promise.resolve(socket).then(ping).catch(failed));
    socket.connect(port);
    return null;
  };
  return {
    port,
    timeoutMillis: PROBE_TIMEOUT_MILLIS,
    ask: put,
    askLeft: put,
    login: (socket) =>
      new Promise((resolve, reject) => {
        socket.once('data', () => resolve('usable'));
        socket.once('close', () => reject(new Error('closed before a byte came')));
        put(socket);
      }),
  };
}
