import { type Address, canonicalAddress, type Service } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import { type EndReason, errorFor, isBranded, ownCopy } from '../errors.js';
import { closedBy, isLocal, leftMeanwhile, noTurn, timedOut } from './attempt.js';
import type { Connection } from './connection.js';
import { deadline } from './deadline.js';
import type { Gate, Ticket } from './gate.js';
import { RedialSocket } from './redial-socket.js';
import type { SocketHost, SocketPlan } from './socket-host.js';
import { isConnecting, type SocketState } from './socket-state.js';
import { readWay, type Way } from './way.js';

/** How long a driver's last message may take to leave; a host that is gone never acknowledges it. */
const GOODBYE_MILLIS = 100;

const BRAND: symbol = Symbol.for('eip-pool.TrackedSocket');

/**
 * A socket to wherever the endpoint points at the moment it connects. One socket makes as many attempts as it needs:
 * they go through the service's gate, and none is visible outside before one has reached an address that the endpoint
 * still has. From then on it is a plain `net.Socket` that knows its address.
 */
export class TrackedSocket extends RedialSocket {
  /** `instanceof` knows those of another loaded copy of this library too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, BRAND);
  }

  readonly #host: SocketHost;
  #plan: SocketPlan;
  readonly #tried: Set<Address> = new Set();
  readonly #failures: Map<Address, unknown> = new Map();
  #state: SocketState = { kind: 'new' };
  #way: Way = { port: 0, family: 0 };
  #callOffTimer: () => void = () => {};
  /** The application, or we, closed it: its end is no news of the server. */
  #askedToClose = false;
  /** `destroyed` is asked with every statement, and costs net two getters of its streams' states. */
  #gone = false;
  #connection: Connection | null = null;
  #handshake = false;
  #lastError: unknown = null;
  #openedAt: number | null = null;
  /** How long it has read nothing, as the watch saw it. */
  quietMillis = 0;

  constructor(host: SocketHost, plan: SocketPlan) {
    super(host.clock);
    this.#host = host;
    this.#plan = plan;
    Object.defineProperty(this, BRAND, { value: true });
    // Nothing that a failover does may end the process of someone who listens only to 'close'. Heard before any driver
    // hears it: what a driver does then is its answer to the news, not the news.
    super.on('error', (error: Error) => this.#onLost(error));
    super.on('end', () => {
      if (!this.#isEndExpected()) this.#onLost(closedBy(host.name));
    });
  }

  get state(): SocketState {
    return this.#state;
  }

  /** The address that it is connected to, or was; null before. Unlike `remoteAddress`, it outlives the connection. */
  get dialledAddress(): Address | null {
    return 'address' in this.#state ? this.#state.address : null;
  }

  /** What it is connected to, or was; null before. */
  get service(): Service | null {
    return this.dialledAddress === null ? null : this.#at(this.dialledAddress);
  }

  /** When its login was known to be done; null before. Like {@link service} it outlives the connection. */
  get openedAt(): number | null {
    return this.#openedAt;
  }

  /** Does it lead to where the name points? One is open only at a present address, and leaves in the turn of a move. */
  get isCurrent(): boolean {
    const { kind } = this.#state;
    return !this.#gone && (kind === 'open' || (kind === 'handshake' && this.#host.has(this.#state.address)));
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

  /**
   * Dials the endpoint at this port; a host that is given is the driver's name for it, and ignored. One that has ended
   * begins anew, as with net.
   * @throws what net throws for a port, or a local address, that is none
   */
  override connect(...args: unknown[]): this {
    const way = readWay(args);
    const listener = args.at(-1);
    if (typeof listener === 'function') this.once('connect', listener as () => void);
    // A driver that is given a socket on its way may call this once more, as pg does.
    if (this.isBeingConnected || (this.#state.kind !== 'new' && !this.destroyed)) return this;
    this.#way = way;
    this.beginConnecting();
    return this;
  }

  protected override onMayDial(): void {
    this.#tried.clear();
    this.#failures.clear();
    this.#askedToClose = false;
    this.#gone = false;
    this.#host.add(this);
    this.#next();
  }

  override end(...args: unknown[]): this {
    if (!this.isBeingConnected) this.#noteAsked();
    return super.end(...args);
  }

  override destroy(error?: Error): this {
    if (this.isEndOfAttempt(error)) return super.destroy(error);
    this.#gone = true;
    if (isConnecting(this.#state)) {
      this.#leaveGate();
      this.#state = { kind: 'closed', address: null };
      this.#host.remove(this);
    } else if (error === undefined) {
      this.#noteAsked();
    } else {
      this.#lastError = error;
    }
    return super.destroy(error);
  }

  /** The answer, or what may be dialled, has changed: wait elsewhere, dial elsewhere, or leave. */
  reconsider(): void {
    const state = this.#state;
    switch (state.kind) {
      case 'waiting':
        this.#leaveGate();
        this.#next();
        return;
      case 'dialling':
        if (!this.#host.has(state.address)) this.abandon();
        return;
      case 'handshake':
        if (!this.#host.has(state.address)) this.cut(leftMeanwhile(this.#host.name, state.address, this.#way.port));
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
    this.#callOffTimer();
    if (reply === 'usable') this.#openedAt = this.#host.clock.now();
    this.#state = { kind: reply === 'usable' && this.#host.has(address) ? 'open' : 'leaving', address };
    ticket.end(reply === 'usable' ? 'success' : reply === 'answered' ? 'aborted' : 'failure');
    this.#host.report(this.#at(address), reply === 'unusable' ? condition : 'usable', cause);
  }

  /** Its address was left, or is dead: the end of this socket is ours from now on. */
  leave(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'leaving', address: this.#state.address };
  }

  /** Ends it now, work or not; the work fails with an error of its own that says why. */
  cut(reason: EndReason): void {
    this.leave();
    this.#askedToClose = true;
    const error = errorFor(reason);
    const top = this.#connection?.top ?? this;
    top.destroy(error);
    if (top === this) return;
    this.#lastError = error;
    this.destroy();
  }

  /** Nobody would notice any more if its address were left. */
  close(reason: EndReason): void {
    this.cut(reason);
  }

  /** The server at its address is dead: the log-in under way has failed, and the gate learns of it. */
  failHandshake(reason: EndReason): void {
    if (this.#state.kind !== 'handshake') return;
    this.#state.ticket.end('failure');
    this.cut(reason);
  }

  /** Ends it while nobody uses it: with its driver's goodbye, but without waiting for a reply. */
  farewell(reason: EndReason): void {
    if (this.#connection === null) return this.cut(reason);
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

  /** Another socket's attempt has just failed: the service is known not to be there, so nobody need try it one by one. */
  shareFailure({ address, port }: Service, cause: Error): void {
    const { kind } = this.#state;
    if (kind !== 'waiting' || this.#state.address !== address || this.#way.port !== port) return;
    this.#leaveGate();
    this.#failed(address, ownCopy(cause));
  }

  #next(): void {
    const target = this.#host.target(this.#way, this.#tried);
    this.#state = { kind: 'waiting', address: null, ticket: null };
    switch (target.kind) {
      case 'unresolved':
        this.#host.resolve().then(
          () => this.#isUnresolved() && this.#next(),
          (error: Error) => this.#unresolved(error),
        );
        return;
      case 'refused':
        process.nextTick(() => this.#unresolved(target.cause));
        return;
      case 'address':
        this.#enter(target.gate, target.address);
    }
  }

  #enter(gate: Gate, address: Address): void {
    this.#state = { kind: 'waiting', address, ticket: null };
    const ticket = gate.enter((own) => this.#dial(address, own), this.#plan);
    // `enter` may have begun the attempt already.
    if (this.#state.kind !== 'waiting') return;
    this.#state = { ...this.#state, ticket };
    const { name, clock, connectTimeoutMillis } = this.#host;
    // An attempt holds its place for as long while it dials, and once more while it logs in.
    const patienceMillis = 2 * connectTimeoutMillis;
    const passed = (): void => {
      this.#leaveGate();
      this.#failed(address, noTurn(name, address, this.#way.port, patienceMillis));
    };
    let { reached } = gate;
    // Whoever gets through shows that it is only a matter of one's turn.
    const heard = (): boolean => {
      const before = reached;
      ({ reached } = gate);
      return reached > before;
    };
    this.#callOffTimer = deadline(clock, patienceMillis, passed, heard);
  }

  /** No address to be had. The set wakes the socket when that changes. */
  #unresolved(cause: Error): void {
    if (!this.#isUnresolved()) return;
    this.#lastError = cause;
    if (!this.#plan.persist(cause)) this.destroy(ownCopy(cause));
  }

  #isUnresolved(): boolean {
    return this.#state.kind === 'waiting' && this.#state.address === null;
  }

  #dial(address: Address, ticket: Ticket): void {
    const { name, clock, connectTimeoutMillis } = this.#host;
    this.#callOffTimer();
    this.#state = { kind: 'dialling', address, ticket, startedAt: clock.now() };
    const late = (): void => this.abandon(timedOut(name, address, this.#way.port, connectTimeoutMillis));
    this.#callOffTimer = deadline(clock, connectTimeoutMillis, late);
    this.dial(address, this.#way);
  }

  protected override onDialled(): void {
    if (this.#state.kind !== 'dialling') return;
    const { ticket, startedAt } = this.#state;
    const address = canonicalAddress(this.remoteAddress) ?? this.#state.address;
    // Design, endpoint rule 1: the answer of this moment, not the one that chose the address.
    if (!this.#host.has(address)) return this.abandon();
    this.#callOffTimer();
    this.accept();
    this.setNoDelay(true);
    this.setKeepAlive(true);
    super.once('close', () => this.#onClosed());
    this.#state = { kind: 'handshake', address, ticket };
    ticket.reach();
    this.#host.connected(this.#at(address), this.#host.clock.now() - startedAt);
    if (this.#handshake) {
      // A slow log-in is not cut, but it does not keep the others at the gate either.
      const { clock, connectTimeoutMillis } = this.#host;
      this.#callOffTimer = deadline(clock, connectTimeoutMillis, () => ticket.end('aborted'));
    } else {
      this.settle('usable');
    }
    this.announce();
  }

  protected override onAttemptOver(error: Error | undefined): void {
    if (this.#state.kind !== 'dialling') return;
    const { address, ticket } = this.#state;
    const cause = error ?? leftMeanwhile(this.#host.name, address, this.#way.port);
    this.#callOffTimer();
    this.#state = { kind: 'waiting', address: null, ticket: null };
    if (!this.#host.has(address)) {
      ticket.end('aborted');
      return this.#next();
    }
    // Told before the place at the gate is free: nobody who knows takes it.
    if (!isLocal(cause)) this.#host.unreachable(this.#at(address), cause);
    ticket.end('failure');
    // The news may have moved the endpoint and this socket with it, or ended it.
    if (this.#isUnresolved()) this.#failed(address, cause);
  }

  /** The address cannot be reached now: another one, once more, or the end. */
  #failed(address: Address, cause: Error): void {
    this.#lastError = cause;
    this.#tried.add(address);
    this.#failures.set(address, cause);
    const others = this.#host.hasOther(this.#way, this.#tried);
    if (!others && !this.#plan.persist(cause)) {
      this.destroy(cause);
      return;
    }
    if (!others) this.#tried.clear();
    this.#next();
  }

  /** Its place at the gate is somebody else's. */
  #leaveGate(): void {
    this.#callOffTimer();
    if (this.#state.kind === 'waiting' || this.#state.kind === 'dialling') this.#state.ticket?.end('aborted');
  }

  #onClosed(): void {
    const state = this.#state;
    this.#callOffTimer();
    this.#state = { kind: 'closed', address: this.dialledAddress };
    this.#host.remove(this);
    if (state.kind === 'handshake') {
      const told = this.#askedToClose || !this.#host.has(state.address);
      state.ticket.end(told ? 'aborted' : 'failure');
      if (!told) this.#host.report(this.#at(state.address), 'refusing', this.#lastError ?? closedBy(this.#host.name));
    }
  }

  /** The connection ended, and nobody here had asked for it. */
  #onLost(cause: Error): void {
    this.#lastError = cause;
    if (this.#state.kind !== 'open' || this.#isEndExpected()) return;
    this.#host.suspect(this.#at(this.#state.address), cause);
  }

  #isEndExpected(): boolean {
    return this.#askedToClose || this.#connection?.hasSaidGoodbye?.() === true;
  }

  #at(address: Address): Service {
    return { address, port: this.#way.port };
  }
}
