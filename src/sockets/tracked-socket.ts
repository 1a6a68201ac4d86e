import { Socket } from 'node:net';
import { type Address, canonicalAddress } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import { type EipPoolError, isBranded } from '../errors.js';
import { ATTEMPT_EVENTS, closedBy, isAttemptFailure, isLocal, leftMeanwhile, timedOut } from './attempt.js';
import type { Connection } from './connection.js';
import { deadline } from './deadline.js';
import type { Ticket } from './gate.js';
import { HeldWrites } from './held-writes.js';
import type { SocketHost, SocketPlan } from './socket-host.js';
import { isConnecting, type SocketState } from './socket-state.js';

/** Design, sockets rule 5; it finds a single dead flow in about 15 s. */
const KEEPALIVE_MILLIS = 5_000;
/** libuv takes a shorter delay for the kernel's default of two hours. */
const SHORTEST_KEEPALIVE_MILLIS = 1_000;

/** How long a driver's last message may take to leave; a host that is gone never acknowledges it. */
const GOODBYE_MILLIS = 100;

const BRAND: symbol = Symbol.for('eip-pool.TrackedSocket');

/**
 * A socket to wherever the endpoint points at the moment it connects. One socket makes as many attempts as it needs:
 * they go through the address's gate, and none is visible outside before one has reached an address that the endpoint
 * still has. Until then, what is written is held. From then on it is a plain `net.Socket` that knows its address.
 */
export class TrackedSocket extends Socket {
  /** `instanceof` knows those of another loaded copy of this library too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, BRAND);
  }

  readonly #host: SocketHost;
  #plan: SocketPlan;
  readonly #held: HeldWrites = new HeldWrites();
  readonly #tried: Set<Address> = new Set();
  readonly #failures: Map<Address, unknown> = new Map();
  #state: SocketState = { kind: 'new' };
  #port = 0;
  #callOffTimer: () => void = () => {};
  /** Why the attempt under way failed. */
  #attemptError: Error | undefined;
  /** Set once nobody wants the socket any more; the error that it ends with. */
  #final: { readonly error: Error | undefined } | null = null;
  /** The application, or we, closed it: its end is no news of the server. */
  #askedToClose = false;
  #connection: Connection | null = null;
  #handshake = false;
  #lastError: unknown = null;
  /** How long it has read nothing, as the watch saw it. */
  quietMillis = 0;

  constructor(host: SocketHost, plan: SocketPlan) {
    super();
    this.#host = host;
    this.#plan = plan;
    Object.defineProperty(this, BRAND, { value: true });
    // Nothing that a failover does may end the process of someone who listens only to 'close'. Heard before any driver
    // hears it: what a driver does then is its answer to the news, not the news.
    super.on('error', (error: Error) => this.#onLost(error));
    super.on('end', () => this.#onLost(closedBy(host.name)));
  }

  get state(): SocketState {
    return this.#state;
  }

  /** The address that it is connected to, or was; null before. Unlike `remoteAddress`, it outlives the connection. */
  get dialledAddress(): Address | null {
    return 'address' in this.#state ? this.#state.address : null;
  }

  /** Does it lead to where the name points? One is open only at a present address, and leaves in the turn of a move. */
  get isCurrent(): boolean {
    const { kind } = this.#state;
    return !this.destroyed && (kind === 'open' || (kind === 'handshake' && this.#host.has(this.#state.address)));
  }

  /** The addresses that it failed to reach, each with its last failure. */
  get failures(): ReadonlyMap<Address, unknown> {
    return this.#failures;
  }

  /** The last failure of an attempt, or the endpoint's reason not to make one. */
  get lastError(): unknown {
    return this.#lastError;
  }

  get connection(): Connection | null {
    return this.#connection;
  }

  /** TLS and a log-in follow, and are part of the attempt; {@link settle} tells how they ended. */
  expectHandshake(): void {
    this.#handshake = true;
  }

  /** The adapter's word on how it goes on after a failure, in the same turn in which it was told to connect. */
  follow(plan: SocketPlan): void {
    this.#plan = plan;
  }

  /** The adapter's word on what lives on this socket. */
  carry(connection: Connection): void {
    this.#connection = connection;
  }

  /** Dials the endpoint at this port; a host that is given is the driver's name for it, and ignored. */
  override connect(...args: unknown[]): this {
    const [first] = args;
    const port = typeof first === 'object' && first !== null ? (first as { port?: unknown }).port : first;
    const listener = args.at(-1);
    if (typeof listener === 'function') this.once('connect', listener as () => void);
    // A driver that is given a socket on its way may call this once more, as pg does.
    if (this.#state.kind !== 'new') return this;
    this.#port = Number(port);
    this.#intercept();
    this.#host.add(this);
    this.#next();
    return this;
  }

  override setKeepAlive(enable: boolean = true, delayMillis: number = KEEPALIVE_MILLIS): this {
    return super.setKeepAlive(enable, delayMillis < SHORTEST_KEEPALIVE_MILLIS ? KEEPALIVE_MILLIS : delayMillis);
  }

  override end(...args: unknown[]): this {
    if (isConnecting(this.#state) && this.#state.kind !== 'new') return this.#held.end(this, args);
    this.#noteAsked();
    return Reflect.apply(super.end, this, args) as this;
  }

  override destroySoon(): void {
    if (isConnecting(this.#state)) this.destroy();
    else super.destroySoon();
  }

  override destroy(error?: Error): this {
    if (this.#state.kind === 'new') this.#state = { kind: 'closed', address: null };
    if (!isConnecting(this.#state)) {
      if (error === undefined) this.#noteAsked();
      if (error !== undefined) this.#lastError = error;
      return super.destroy(error);
    }
    // net's own destroy at the end of a failed attempt is not the end of the socket.
    if (this.#state.kind === 'dialling' && isAttemptFailure(error)) return super.destroy(error);
    this.#finish(error);
    return this;
  }

  /** The answer, or what may be dialled, has changed: wait elsewhere, dial elsewhere, or leave. */
  reconsider(): void {
    const state = this.#state;
    switch (state.kind) {
      case 'waiting':
        state.ticket?.end('aborted');
        this.#next();
        return;
      case 'dialling':
        if (!this.#host.has(state.address)) this.#abortAttempt();
        return;
      case 'handshake':
        if (!this.#host.has(state.address)) this.cut(leftMeanwhile(this.#host.name, state.address, this.#port));
        return;
      case 'new':
      case 'open':
      case 'leaving':
      case 'closed':
    }
  }

  /** The handshake is over: how the server took it. Does nothing on a socket without one. */
  settle(reply: 'usable' | 'full' | 'unusable' | 'answered', condition: Condition = 'refusing', cause?: unknown): void {
    if (this.#state.kind !== 'handshake') return;
    const { address, ticket } = this.#state;
    this.#clearTimer();
    this.#state = { kind: reply === 'usable' && this.#host.has(address) ? 'open' : 'leaving', address };
    ticket.end(reply === 'usable' ? 'success' : reply === 'answered' ? 'aborted' : 'failure');
    this.#host.report(address, reply === 'unusable' ? condition : 'usable', cause);
  }

  /** Its address was left, or is dead: the end of this socket is ours from now on. */
  leave(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'leaving', address: this.#state.address };
  }

  /** Ends it now, work or not; the work fails with this error. */
  cut(error: Error): void {
    this.leave();
    this.#askedToClose = true;
    this.destroy(error);
  }

  /** The server at its address is dead: the log-in under way has failed, and the gate learns of it. */
  failHandshake(error: Error): void {
    if (this.#state.kind !== 'handshake') return;
    this.#state.ticket.end('failure');
    this.cut(error);
  }

  /** Ends it while nobody uses it: with its driver's goodbye, but without waiting for a reply. */
  farewell(error: EipPoolError): void {
    if (this.#connection === null) return this.cut(error);
    this.#connection.goodbye();
    this.expectEnd();
  }

  /** Its driver has said goodbye. A host that is gone never answers it, so the end is ours if it does not come soon. */
  expectEnd(): void {
    this.#noteAsked();
    const timer = this.#host.clock.set(() => this.destroy(), GOODBYE_MILLIS);
    super.once('close', () => this.#host.clock.clear(timer));
  }

  /** Is it ending by our own or the application's wish? */
  get ending(): boolean {
    return this.#askedToClose;
  }

  /** The stream ends itself after the peer's FIN, and drivers end one that broke; any other end is the application's. */
  #noteAsked(): void {
    if (!this.readableEnded && !this.destroyed) this.#askedToClose = true;
  }

  #next(): void {
    const target = this.#host.target(this.#tried);
    this.#setConnecting(true);
    switch (target.kind) {
      case 'unresolved':
        this.#state = { kind: 'waiting', address: null, ticket: null };
        this.#host.resolve().then(
          () => this.#isUnresolved() && this.#next(),
          (error: Error) => this.#unresolved(error),
        );
        return;
      case 'refused':
        this.#state = { kind: 'waiting', address: null, ticket: null };
        process.nextTick(() => this.#unresolved(target.cause));
        return;
      case 'address': {
        this.#state = { kind: 'waiting', address: target.address, ticket: null };
        const ticket = target.gate.enter((own) => this.#dial(target.address, own));
        // `enter` may have begun the attempt already.
        if (this.#state.kind === 'waiting') this.#state = { ...this.#state, ticket };
      }
    }
  }

  /** No address to be had. The set wakes the socket when that changes. */
  #unresolved(cause: Error): void {
    if (!this.#isUnresolved()) return;
    this.#lastError = cause;
    if (!this.#plan.persist(cause)) this.#finish(cause);
  }

  #isUnresolved(): boolean {
    return this.#state.kind === 'waiting' && this.#state.address === null;
  }

  #dial(address: Address, ticket: Ticket): void {
    const { clock, connectTimeoutMillis } = this.#host;
    this.#state = { kind: 'dialling', address, ticket, startedAt: clock.now() };
    this.#attemptError = undefined;
    this.#callOffTimer = deadline(clock, connectTimeoutMillis, () => this.#timeOut(address));
    super.connect({ host: address, port: this.#port, autoSelectFamily: false });
    // net.connect puts its own `write` back.
    this.#intercept();
  }

  #timeOut(address: Address): void {
    const { name, connectTimeoutMillis } = this.#host;
    this.#attemptError = timedOut(name, address, this.#port, connectTimeoutMillis);
    super.destroy();
  }

  #abortAttempt(): void {
    this.#clearTimer();
    super.destroy();
  }

  /** While it connects, the socket's own events are about attempts, and writes are held. */
  #intercept(): void {
    this.write = (...args: unknown[]): boolean => this.#held.write(args);
    this.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (!ATTEMPT_EVENTS.has(event)) return super.emit(event, ...args);
      if (event === 'error') this.#attemptError ??= args[0] as Error;
      else if (event === 'connect') this.#onConnect();
      else if (event === 'close') this.#onAttemptClosed();
      return true;
    };
  }

  #release(): void {
    this.write = Socket.prototype.write;
    this.emit = Socket.prototype.emit;
  }

  #onConnect(): void {
    if (this.#state.kind !== 'dialling') return;
    const { ticket, startedAt } = this.#state;
    const address = canonicalAddress(this.remoteAddress) ?? this.#state.address;
    // Design, endpoint rule 1: the answer of this moment, not the one that chose the address.
    if (!this.#host.has(address)) return this.#abortAttempt();
    this.#clearTimer();
    this.#release();
    this.setNoDelay(true);
    this.setKeepAlive(true);
    super.once('close', () => this.#onClosed());
    this.#state = { kind: 'handshake', address, ticket };
    this.#host.connected(address, this.#host.clock.now() - startedAt);
    if (this.#handshake) {
      // A slow log-in is not cut, but it does not keep the others at the gate either.
      const { clock, connectTimeoutMillis } = this.#host;
      this.#callOffTimer = deadline(clock, connectTimeoutMillis, () => ticket.end('aborted'));
    } else {
      this.settle('usable');
    }
    this.#held.flush(this);
    super.emit('connect');
  }

  #onAttemptClosed(): void {
    this.#clearTimer();
    if (this.#final !== null) return this.#tellEnd(this.#final.error);
    if (this.#state.kind !== 'dialling') return;
    const { address, ticket } = this.#state;
    const cause = this.#attemptError ?? leftMeanwhile(this.#host.name, address, this.#port);
    this.#state = { kind: 'waiting', address: null, ticket: null };
    if (!this.#host.has(address)) {
      ticket.end('aborted');
      this.#next();
      return;
    }
    this.#lastError = cause;
    this.#tried.add(address);
    this.#failures.set(address, cause);
    ticket.end('failure');
    if (!isLocal(cause)) this.#host.report(address, 'refusing', cause);
    // The report may have moved the endpoint and this socket with it, or ended it.
    if ((this.#state as SocketState).kind !== 'waiting' || this.#state.address !== null) return;
    const others = this.#host.hasOther(this.#tried);
    if (!others && !this.#plan.persist(cause)) return this.#finish(cause);
    if (!others) this.#tried.clear();
    this.#next();
  }

  /** The end of a socket that never connected. */
  #finish(error: Error | undefined): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#clearTimer();
    this.#final = { error };
    this.#state = { kind: 'closed', address: null };
    if (state.kind === 'waiting' || state.kind === 'dialling') state.ticket?.end('aborted');
    this.#host.remove(this);
    // A handle that is open, or closing, tells when it is closed; without one there is only us to tell.
    if (state.kind === 'dialling' && !this.closed) super.destroy();
    else process.nextTick(() => this.#tellEnd(error));
  }

  #tellEnd(error: Error | undefined): void {
    this.#release();
    this.#setConnecting(false);
    this.#held.fail(error);
    if (!this.destroyed) {
      super.destroy(error);
      return;
    }
    if (error !== undefined) super.emit('error', error);
    super.emit('close', error !== undefined);
  }

  #onClosed(): void {
    const state = this.#state;
    this.#clearTimer();
    this.#state = { kind: 'closed', address: this.dialledAddress };
    this.#host.remove(this);
    if (state.kind === 'handshake') {
      const told = this.#askedToClose || !this.#host.has(state.address);
      state.ticket.end(told ? 'aborted' : 'failure');
      if (!told) this.#host.report(state.address, 'refusing', this.#lastError ?? closedBy(this.#host.name));
    }
  }

  /** The connection ended, and nobody here had asked for it. */
  #onLost(cause: Error): void {
    this.#lastError = cause;
    if (this.#state.kind === 'open' && !this.#askedToClose) this.#host.suspect(this.#state.address, cause);
  }

  /** Drivers and TLS ask `connecting`; between two attempts net would say false. */
  #setConnecting(value: boolean): void {
    (this as { connecting: boolean }).connecting = value;
  }

  #clearTimer(): void {
    this.#callOffTimer();
  }
}
