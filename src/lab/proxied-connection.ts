import { connect, type Socket } from 'node:net';
import { systemClock, type Timer } from '../clock.js';
import type { Passage } from './host-fault.js';
import type { TcpFlow } from './lab-network.js';

/** Where a host's connections lead: to the client itself, or to the database. */
export type Backend =
  { readonly kind: 'echo' } | { readonly kind: 'server'; readonly address: string; readonly port: number };

type Parcel =
  | { readonly kind: 'data'; readonly chunk: Buffer; readonly arrivedAt: number }
  | { readonly kind: 'end'; readonly arrivedAt: number };

/** Held bytes beyond which the source is no longer read. */
const MAX_HELD_BYTES: number = 1_048_576;

/** One direction of a connection. Keeps order and half-closes; forwards only what the passage lets through. */
class Flow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #passage: () => Passage;
  readonly #held: Parcel[] = [];
  #heldBytes: number = 0;
  #writing: boolean = false;
  #wakeUp: Timer | undefined;

  constructor(source: Socket, sink: Socket, passage: () => Passage) {
    this.#source = source;
    this.#sink = sink;
    this.#passage = passage;
    source.on('data', (chunk: Buffer) => this.#hold({ kind: 'data', chunk, arrivedAt: systemClock.now() }));
    source.on('end', () => this.#hold({ kind: 'end', arrivedAt: systemClock.now() }));
  }

  /** Looks at the passage again: call it whenever that changed. */
  wake(): void {
    if (this.#passage().kind === 'closed' || this.#heldBytes > MAX_HELD_BYTES) this.#source.pause();
    else this.#source.resume();
    this.#forward();
  }

  stop(): void {
    systemClock.clear(this.#wakeUp);
  }

  #hold(parcel: Parcel): void {
    this.#held.push(parcel);
    if (parcel.kind === 'data') this.#heldBytes += parcel.chunk.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#source.pause();
    this.#forward();
  }

  #forward(): void {
    systemClock.clear(this.#wakeUp);
    const passage = this.#passage();
    const next = this.#held[0];
    if (passage.kind === 'closed' || this.#writing || next === undefined) return;
    const dueMillis = next.arrivedAt + passage.lateMillis - systemClock.now();
    if (dueMillis > 0) {
      this.#wakeUp = systemClock.set(() => this.#forward(), Math.ceil(dueMillis));
      return;
    }
    this.#held.shift();
    if (next.kind === 'end') {
      this.#sink.end();
      return;
    }
    this.#writing = true;
    // One write at a time, so that a stall holds back all that the kernel has not taken yet.
    this.#sink.write(next.chunk, (error) => {
      this.#writing = false;
      this.#heldBytes -= next.chunk.length;
      if (error == null && !this.#source.destroyed) this.wake();
    });
  }
}

/** One client's connection through a host, and the host's own connection to its database. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #backend: Backend;
  readonly #passage: () => Passage;
  readonly #onClosed: () => void;
  #upstream: Socket | undefined;
  #lost: boolean = false;
  #flows: readonly Flow[] = [];

  /** @param client accepted paused, with `allowHalfOpen` */
  constructor(client: Socket, backend: Backend, passage: () => Passage, onClosed: () => void) {
    this.#client = client;
    this.#backend = backend;
    this.#passage = () => (this.#lost ? { kind: 'closed' } : passage());
    this.#onClosed = onClosed;
    this.#watch(client);
    this.wake();
  }

  /** The passage changed. */
  wake(): void {
    if (this.#passage().kind === 'open') this.#begin();
    this.#passOnReset();
    for (const flow of this.#flows) flow.wake();
  }

  /** Its flow is lost between the client and the host: neither hears of the other any more, whatever the host's fault. */
  lose(): void {
    this.#lost = true;
    this.wake();
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** As packets name it; null once the client's end is closed. */
  get flow(): TcpFlow | null {
    const { remoteAddress, remotePort, localAddress, localPort } = this.#client;
    if (remoteAddress === undefined || remotePort === undefined) return null;
    if (localAddress === undefined || localPort === undefined) return null;
    return { client: [remoteAddress, remotePort], host: [localAddress, localPort] };
  }

  /** Both sides get an RST. */
  reset(): void {
    reset(this.#client);
    reset(this.#upstream);
  }

  /** Nothing is dialled and no byte read before the passage is open for the first time. */
  #begin(): void {
    if (this.#flows.length > 0 || this.#client.destroyed) return;
    if (this.#backend.kind === 'echo') {
      this.#flows = [new Flow(this.#client, this.#client, this.#passage)];
      return;
    }
    const { address: host, port } = this.#backend;
    this.#upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.#watch(this.#upstream);
    this.#flows = [
      new Flow(this.#client, this.#upstream, this.#passage),
      new Flow(this.#upstream, this.#client, this.#passage),
    ];
  }

  #watch(socket: Socket): void {
    socket.on('error', () => undefined); // 'close' follows, and says all that matters here
    socket.on('close', () => {
      this.#passOnReset();
      if (this.#isOver()) this.#close();
    });
  }

  /** A side that ended without both FINs was reset: so is the other, unless the host is silent now. */
  #passOnReset(): void {
    if (this.#passage().kind === 'closed') return;
    if (wasReset(this.#client)) reset(this.#upstream);
    if (this.#upstream !== undefined && wasReset(this.#upstream)) reset(this.#client);
  }

  #isOver(): boolean {
    return this.#client.destroyed && this.#upstream?.destroyed !== false;
  }

  #close(): void {
    for (const flow of this.#flows) flow.stop();
    this.#onClosed();
  }
}

function wasReset(socket: Socket): boolean {
  return socket.destroyed && !(socket.readableEnded && socket.writableFinished);
}

function reset(socket: Socket | undefined): void {
  if (socket === undefined || socket.destroyed) return;
  // While a FIN waits to leave, libuv refuses a reset, and Node would never close the handle: the process could not end.
  const ending = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || ending) socket.destroy();
  else socket.resetAndDestroy();
}
