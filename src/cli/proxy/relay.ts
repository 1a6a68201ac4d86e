import type { Socket } from 'node:net';
import type { Clock } from '../../clock.js';
import { codeOf } from '../../errors.js';
import type { Connection } from '../../sockets/connection.js';
import type { SocketPlan } from '../../sockets/socket-host.js';
import type { TrackedSocket } from '../../sockets/tracked-socket.js';

/** Why a client's connection ended, by whatever ended it first. */
export const END_REASONS = [
  /** The client ended or broke it. */
  'client',
  /** The server ended or broke it. */
  'server',
  /** The name has left its address, and it went on for longer than `drainMillis`. */
  'moved',
  /** Its server was judged dead. */
  'dead',
  /** It was lost on the way, while its server lives. */
  'lost',
  /** No server could be reached until the deadline, or none may be. */
  'unreached',
  /** The proxy was told to end. */
  'stopped',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** One client's life. Each state holds only what is true in it. */
export type RelayState =
  /** For a server that takes the connection. */
  | { readonly kind: 'waiting'; readonly since: number }
  | { readonly kind: 'joined' }
  /** At least one side is over; both will be. */
  | { readonly kind: 'ending'; readonly reason: EndReason }
  | { readonly kind: 'over'; readonly reason: EndReason };

export interface RelayPlan {
  readonly clock: Clock;
  /** How long a client waits for a server, in milliseconds. */
  readonly deadlineMillis: number;
  readonly drainMillis: number;
  readonly silenceMillis: number;
  /** Makes the socket to the name, which has not been told to connect. */
  readonly makeBack: (plan: SocketPlan) => TrackedSocket;
  readonly port: number;
  /** What the server is sent before the client's first byte; null for nothing. */
  readonly header: Buffer | null;
  /** Whether the client's socket knows resets: a Unix socket does not. */
  readonly resets: boolean;
  readonly onJoined: (waitedMillis: number) => void;
  readonly onOver: (relay: Relay, reason: EndReason) => void;
}

/** A silent line is looked into from then on: as an adapter's default. */
export const SILENCE_MILLIS: number = 1_000;

/**
 * A client's socket and the one to the name, which it is given as long as the deadline lets. What one says the other one
 * hears: bytes as fast as they are read there, the end of one direction as that of this direction, a break as a break.
 */
export class Relay implements Connection {
  readonly drainMillis: number;
  readonly drainOption: string = '--drain';
  readonly silenceMillis: number;
  readonly #front: Socket;
  readonly #back: TrackedSocket;
  readonly #plan: RelayPlan;
  #state: RelayState;
  /** Something was sent to the server after the last byte that came from it. */
  #awaitsReply = false;
  #callOffDeadline: () => void = () => {};
  #open = 2;

  constructor(front: Socket, plan: RelayPlan) {
    const { clock, drainMillis, silenceMillis, header } = plan;
    this.#front = front;
    this.#plan = plan;
    this.drainMillis = drainMillis;
    this.silenceMillis = silenceMillis;
    this.#state = { kind: 'waiting', since: clock.now() };
    this.#back = plan.makeBack({ persist: (cause) => this.#mayWaitOn(cause) });
    this.#back.allowHalfOpen = true;
    this.#back.carry(this);
    this.#listen();
    const timer = clock.setAwaited(() => this.end('unreached'), plan.deadlineMillis);
    this.#callOffDeadline = () => clock.clear(timer);
    this.#back.connect(plan.port);
    if (header !== null) this.#back.write(header);
  }

  get state(): RelayState {
    return this.#state;
  }

  /** What the last attempt to get a server failed with, or the connection to it; null while nothing has. */
  get lastError(): unknown {
    return this.#back.lastError;
  }

  /** What was read from the client, and what was sent to it. */
  get bytes(): { readonly fromClient: number; readonly toClient: number } {
    return { fromClient: this.#front.bytesRead, toClient: this.#front.bytesWritten };
  }

  /** Breaks both sides: neither may take what it has got for all that there was. */
  end(reason: EndReason): void {
    if (this.#state.kind === 'over') return;
    this.#begin(reason);
    this.#break(this.#front, this.#plan.resets);
    this.#break(this.#back, true);
  }

  /** Only the client knows what runs on it: it may always be work. */
  isLeased(): boolean {
    return true;
  }

  isWaiting(): boolean {
    return this.#awaitsReply;
  }

  retire(): void {}

  goodbye(): void {
    this.#back.end();
  }

  #listen(): void {
    const [front, back] = [this.#front, this.#back];
    front.on('data', (chunk: Buffer) => {
      this.#awaitsReply = true;
      if (!back.write(chunk) && isFull(back)) front.pause();
    });
    back.on('data', (chunk: Buffer) => {
      this.#awaitsReply = false;
      if (!front.write(chunk) && isFull(front)) back.pause();
    });
    front.on('drain', () => back.resume());
    back.on('drain', () => front.resume());
    front.on('end', () => this.#pass('client', back));
    back.on('end', () => this.#pass('server', front));
    front.on('error', () => this.#begin('client'));
    back.on('error', (error: Error) => this.#begin(this.#reasonOf(error)));
    back.once('connect', () => this.#onJoined());
    front.once('close', () => this.#onClosed(front));
    back.once('close', () => this.#onClosed(back));
  }

  #onJoined(): void {
    this.#callOffDeadline();
    if (this.#state.kind !== 'waiting') return;
    this.#plan.onJoined(this.#plan.clock.now() - this.#state.since);
    this.#state = { kind: 'joined' };
  }

  /** One direction is over; the other one goes on. A client that has sent all of it may still wait for a server. */
  #pass(by: 'client' | 'server', to: Socket): void {
    if (this.#state.kind === 'joined') this.#begin(by);
    to.end();
  }

  #begin(reason: EndReason): void {
    if (this.#state.kind === 'ending' || this.#state.kind === 'over') return;
    this.#callOffDeadline();
    this.#state = { kind: 'ending', reason };
  }

  /** What was sent in both directions has arrived on the other side, or will; else that side is broken too. */
  #onClosed(socket: Socket): void {
    const [other, isFront] = socket === this.#front ? [this.#back, true] : [this.#front, false];
    this.#begin(isFront ? 'client' : 'server');
    this.#open--;
    if (this.#open > 0) {
      const isComplete = socket.readableEnded && socket.writableFinished && other.readableEnded;
      if (!isComplete) this.#break(other, isFront || this.#plan.resets);
      return;
    }
    if (this.#state.kind !== 'ending') return;
    const { reason } = this.#state;
    this.#state = { kind: 'over', reason };
    this.#plan.onOver(this, reason);
  }

  #break(socket: Socket, resets: boolean): void {
    if (resets && !socket.connecting && !socket.destroyed) socket.resetAndDestroy();
    else socket.destroy();
  }

  #mayWaitOn(cause: unknown): boolean {
    return this.#state.kind === 'waiting' && codeOf(cause) !== 'PUBLIC_ADDRESS' && codeOf(cause) !== 'ENDPOINT_CLOSED';
  }

  #reasonOf(error: Error): EndReason {
    switch (codeOf(error)) {
      case 'ADDRESS_LEFT':
        return 'moved';
      case 'ADDRESS_DEAD':
        return 'dead';
      case 'CONNECTION_LOST':
        return 'lost';
      case 'ENDPOINT_CLOSED':
        return 'stopped';
      default:
        return this.#state.kind === 'waiting' ? 'unreached' : 'server';
    }
  }
}

/** The kernel takes no more, or there is no connection yet. What it took at once needs no pause, whatever `write` says. */
function isFull(socket: Socket): boolean {
  return socket.writableLength > 0 || socket.connecting;
}
