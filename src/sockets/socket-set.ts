import type { Socket } from 'node:net';
import { type Clock, setImmediate } from '../clock.js';
import { type Address, familyOf, type Service, ServiceMap, withPort } from '../endpoint/address.js';
import type { Answer } from '../endpoint/answer.js';
import type { Condition } from '../endpoint/adopt.js';
import { noAddressOf } from '../endpoint/lookup.js';
import { type EndReason, EipPoolError } from '../errors.js';
import type { ReadAdoptOptions } from './adopt-options.js';
import { AdoptedSocket, type AdoptingHost } from './adopted-socket.js';
import type { Prober } from './connection.js';
import { Gate } from './gate.js';
import { ByteMarks } from './heard.js';
import type { Kernel } from './kernel.js';
import { partOf, type Parting } from './parting.js';
import { abandonProbes } from './probe-socket.js';
import type { SocketHost, Target } from './socket-host.js';
import { isConnecting } from './socket-state.js';
import type { FollowedSocket } from './followed-socket.js';
import { isIdle, isQuiet, SilenceWatch } from './watch.js';
import type { Way } from './way.js';

/** What the set needs of its endpoint. */
export interface Following {
  readonly name: string;
  readonly current: Answer | null;
  readonly refusal: EipPoolError | null;
  /** The answer may be of another time: it is asked for first. */
  readonly slept: boolean;
  has(address: Address): boolean;
  attend(): void;
  known(): Promise<Answer>;
  report(service: Service, condition: Condition, cause?: unknown): void;
  suspect(service: Service, cause: unknown): void;
  noteLife(service: Service): void;
}

export interface SetOptions {
  readonly clock: Clock;
  readonly connectTimeoutMillis: number;
  readonly connectConcurrency: number;
}

/** Who can be asked of a service, and of a connection to it. */
export interface Asks {
  readonly kernel: Kernel;
  prober(service: Service): Prober | undefined;
  /** One more who can be asked; returns the way to take it back. */
  register(prober: Prober): () => void;
}

/** Closing a thousand sockets at once must not block the event loop for longer than this. */
const SLICE_MILLIS = 4;

/** Every socket of one endpoint, made to agree with its answer whenever that changes. */
export class SocketSet implements SocketHost, AdoptingHost {
  readonly #endpoint: Following;
  readonly #options: SetOptions;
  readonly #sockets: Set<FollowedSocket> = new Set();
  readonly #gates: ServiceMap<Gate> = new ServiceMap();
  /** How long the last connect to each service took. */
  readonly #connectMillis: ServiceMap<number> = new ServiceMap();
  readonly #marks: ByteMarks<FollowedSocket> = new ByteMarks();
  readonly #watch: SilenceWatch;
  readonly #asks: Asks;

  constructor(endpoint: Following, options: SetOptions, asks: Asks) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#asks = asks;
    this.#watch = new SilenceWatch({
      ...asks,
      clock: options.clock,
      sockets: this.#sockets,
      has: (address) => this.has(address),
      pingBound: (service) => this.pingBound(service),
      unanswered: (service) => this.suspect(service, silent(service)),
      answered: (service) => this.#endpoint.noteLife(service),
      dead: (service) => this.bury(service),
      over: (socket) => this.remove(socket),
      lost: (socket, why) => this.#lose(socket, why),
    });
  }

  get name(): string {
    return this.#endpoint.name;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get connectTimeoutMillis(): number {
    return this.#options.connectTimeoutMillis;
  }

  has(address: Address): boolean {
    return this.#endpoint.has(address);
  }

  hasOther(way: Way, tried: ReadonlySet<Address>): boolean {
    return this.#addresses(way).some((address) => !tried.has(address));
  }

  /** The first address of the answer that this socket has not tried, best of them first. */
  target(way: Way, tried: ReadonlySet<Address>): Target {
    const { current, refusal } = this.#endpoint;
    if (refusal !== null) return { kind: 'refused', cause: refusal };
    if (current === null || this.#endpoint.slept) return { kind: 'unresolved' };
    const { port, family } = way;
    const failures = (address: Address): number => this.#gates.get({ address, port })?.failures ?? 0;
    const [address] = this.#addresses(way)
      .toSorted((a, b) => Math.sign(failures(a)) - Math.sign(failures(b)))
      .toSorted((a, b) => Number(tried.has(a)) - Number(tried.has(b)));
    if (address === undefined) return { kind: 'refused', cause: noAddressOf(family, this.name, current.addresses) };
    return { kind: 'address', address, gate: this.#gate({ address, port }) };
  }

  async resolve(): Promise<void> {
    await this.#endpoint.known();
  }

  report(service: Service, condition: Condition, cause?: unknown): void {
    this.#endpoint.report(service, condition, cause);
  }

  unreachable(service: Service, cause: Error): void {
    this.report(service, 'refusing', cause);
    if (!this.has(service.address)) return;
    for (const socket of [...this.#sockets]) socket.shareFailure(service, cause);
  }

  suspect(service: Service, cause: unknown): void {
    this.#endpoint.suspect(service, cause);
  }

  connected(service: Service, millis: number): void {
    this.#connectMillis.set(service, millis);
  }

  add(socket: FollowedSocket): void {
    this.#sockets.add(socket);
    this.#endpoint.attend();
    this.#watch.start();
  }

  remove(socket: FollowedSocket): void {
    this.#sockets.delete(socket);
  }

  openOn(service: Service): FollowedSocket[] {
    return [...this.#sockets].filter((socket) => isOpenOn(socket, service));
  }

  /** Are connections to this service open? */
  isUsed(service: Service): boolean {
    return [...this.#sockets].some((socket) => isOpenOn(socket, service));
  }

  /** The services to which connections are open. */
  used(): Service[] {
    const found = new ServiceMap<true>();
    for (const { state, service } of this.#sockets)
      if (state.kind === 'open' && service !== null) found.set(service, true);
    return [...found.entries()].map(([service]) => service);
  }

  /** How long a ping to this service may take: 250 ms, or five times what a connect takes if that is more. */
  pingBound(service: Service): number {
    return Math.max(250, 5 * (this.#connectMillis.get(service) ?? 0));
  }

  /** The answer changed. When this returns, no pool can hand out a connection to a dropped address. */
  reconcile(dropped: readonly Address[]): void {
    for (const address of dropped) this.#gates.deleteAddress(address);
    // No password is sent to an address that was left, by a probe neither.
    for (const address of dropped) abandonProbes(address);
    for (const socket of [...this.#sockets]) socket.reconsider();
    for (const service of this.used()) this.arrived(service);
    for (const address of dropped) this.#connectMillis.deleteAddress(address);
  }

  /** Sockets lead to this service, which may have been left, or never have been where the name points. */
  arrived(service: Service): void {
    const isStale = this.#endpoint.current !== null && !this.has(service.address);
    if (isStale) this.#part(service, 'unknown');
  }

  /** Follows a socket that somebody else made. */
  adopt(socket: Socket, options: ReadAdoptOptions): void {
    AdoptedSocket.adopt(socket, this, options);
  }

  register(prober: Prober): () => void {
    return this.#asks.register(prober);
  }

  /** The service at a present address is dead: what runs there is cut now, and what logs in there begins anew. */
  bury(service: Service): void {
    const cause = silent(service);
    for (const socket of [...this.#sockets]) if (isOn(socket, service)) socket.failHandshake(cause);
    this.#part(service, 'dead');
    this.report(service, 'dead', cause);
  }

  /** One that was idle for long does not answer: it speaks for all of its service that were idle as long. */
  dropQuiet(service: Service): void {
    const quiet = this.openOn(service).filter((socket) => isQuiet(socket) && isIdle(socket));
    const where = withPort(service.address, service.port);
    const error = new EipPoolError('ADDRESS_DEAD', `a connection to ${where} that had been idle does not answer`);
    for (const socket of quiet) {
      socket.leave();
      socket.connection?.retire();
    }
    this.#closeInSlices(quiet, error);
    this.suspect(service, error);
  }

  onDialable(): void {
    for (const socket of [...this.#sockets]) if (socket.state.kind === 'waiting') socket.reconsider();
  }

  /** The services of which a byte was read since the last look. */
  findLife(): readonly Service[] {
    const alive = new ServiceMap<true>();
    for (const socket of this.#sockets) {
      const { state, service } = socket;
      if (state.kind !== 'open' || service === null) continue;
      if (this.#marks.grew(socket) && this.has(service.address)) alive.set(service, true);
    }
    return [...alive.entries()].map(([service]) => service);
  }

  /** Does anybody wait for a connection? */
  isAwaited(): boolean {
    for (const { state } of this.#sockets) if (isConnecting(state) || state.kind === 'handshake') return true;
    return false;
  }

  get isEmpty(): boolean {
    return this.#sockets.size === 0;
  }

  closeAll(reason: EndReason): void {
    this.#watch.stop();
    for (const socket of [...this.#sockets]) if (!socket.ending && !socket.destroyed) socket.close(reason);
  }

  counts(): { readonly open: number; readonly connecting: number; readonly leaving: number } {
    const kinds = [...this.#sockets].map((socket) => socket.state.kind);
    const open = kinds.filter((kind) => kind === 'open').length;
    const leaving = kinds.filter((kind) => kind === 'leaving').length;
    return { open, connecting: kinds.length - open - leaving, leaving };
  }

  #addresses({ family }: Way): readonly Address[] {
    const addresses = this.#endpoint.current?.addresses ?? [];
    return family === 0 ? addresses : addresses.filter((address) => familyOf(address) === family);
  }

  #gate(service: Service): Gate {
    let gate = this.#gates.get(service);
    if (gate === undefined) {
      gate = new Gate(this.clock, this.#options.connectConcurrency);
      this.#gates.set(service, gate);
    }
    return gate;
  }

  /** A connection is lost, and its server lives. */
  #lose(socket: FollowedSocket, why: string): void {
    const { service } = socket;
    if (service === null) return;
    const where = withPort(service.address, service.port);
    const message = `the connection to ${this.name} at ${where} is lost: ${why}, while the server there answers`;
    const error = new EipPoolError('CONNECTION_LOST', message);
    socket.leave();
    socket.connection?.retire();
    socket.cut(error);
    this.suspect(service, error);
  }

  #part(service: Service, known: 'unknown' | 'dead'): void {
    const there = this.openOn(service);
    if (there.length === 0) return;
    const parting: Parting = {
      name: this.name,
      service,
      to: this.#endpoint.current?.addresses ?? [],
      known,
      clock: this.clock,
      kernel: this.#asks.kernel,
      prober: this.#asks.prober(service),
      pingBoundMillis: this.pingBound(service),
      closeIdle: (sockets, error) => this.#closeInSlices(sockets, error),
    };
    partOf(there, parting);
  }

  #closeInSlices(sockets: readonly FollowedSocket[], reason: EndReason): void {
    const until = this.clock.now() + SLICE_MILLIS;
    let done = 0;
    while (done < sockets.length && this.clock.now() < until) {
      sockets[done]?.farewell(reason);
      done++;
    }
    if (done < sockets.length) setImmediate(() => this.#closeInSlices(sockets.slice(done), reason));
  }
}

function isOn(socket: FollowedSocket, { address, port }: Service): boolean {
  const { service } = socket;
  return service?.address === address && service.port === port;
}

function isOpenOn(socket: FollowedSocket, service: Service): boolean {
  return socket.state.kind === 'open' && isOn(socket, service);
}

function silent({ address, port }: Service): EipPoolError {
  return new EipPoolError('ADDRESS_DEAD', `the server at ${withPort(address, port)} does not answer`);
}
