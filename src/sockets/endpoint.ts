import type { Agent as HttpAgent, AgentOptions as HttpAgentOptions } from 'node:http';
import type { Agent as HttpsAgent, AgentOptions as HttpsAgentOptions } from 'node:https';
import type { Socket } from 'node:net';
import { type Address, type Service, ServiceMap, withPort } from '../endpoint/address.js';
import type { EndpointSnapshot } from '../endpoint/endpoint-events.js';
import { NameEndpoint } from '../endpoint/endpoint.js';
import type { FollowOptions } from '../endpoint/options.js';
import { isBranded } from '../errors.js';
import { invalidOption } from '../options.js';
import { type AdoptOptions, checkSocket, readAdoptOptions } from './adopt-options.js';
import { type FollowingAgentOptions, httpAgent, httpsAgent } from './agent.js';
import type { Prober } from './connection.js';
import { Judge } from './judge.js';
import { systemKernel } from './kernel.js';
import { canPing, ping } from './ping.js';
import { type Asks, SocketSet } from './socket-set.js';
import type { SocketPlan } from './socket-host.js';
import { TrackedSocket } from './tracked-socket.js';
import type { LostSession, Succession } from './uptime.js';
import { Uptimes } from './uptimes.js';
import { isIdle } from './watch.js';

const BRAND: symbol = Symbol.for('eip-pool.Endpoint');

/** {@link EndpointSnapshot}, and what hangs on the endpoint. */
export interface Snapshot extends EndpointSnapshot {
  readonly sockets: { readonly open: number; readonly connecting: number; readonly leaving: number };
}

/**
 * A name that is followed, and every socket that was made through it. Sockets whose address the name leaves are closed,
 * drained or cut; new ones dial where the name points at that moment.
 */
export class Endpoint extends NameEndpoint {
  /** `instanceof` knows one of another loaded copy of this library too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, BRAND);
  }

  readonly #set: SocketSet;
  readonly #judges: ServiceMap<Judge> = new ServiceMap();
  readonly #probers: Set<Prober> = new Set();
  readonly #uptimes: Uptimes;

  constructor(name: string, options?: FollowOptions) {
    super(name, options);
    Object.defineProperty(this, BRAND, { value: true });
    // Each pool that shares it listens.
    this.setMaxListeners(0);
    const asks: Asks = {
      kernel: systemKernel,
      prober: ({ port }) => this.#prober(port),
      register: (prober) => this.register(prober),
    };
    this.#set = new SocketSet(this, this.options, asks);
    this.#uptimes = new Uptimes({
      clock: this.options.clock,
      prober: ({ port }) => this.#prober(port),
      examine: (service) => this.#examine(service),
    });
  }

  /**
   * A tracked socket that is dialling this port. It behaves as that of `net.connect`; it has no lease that could drain,
   * so it is closed with an `ADDRESS_LEFT` error as soon as the name leaves its address.
   *
   * The socket's `'error'` is: what the attempt at the last address failed with; what the resolvers failed with, if
   * there is no answer; `PUBLIC_ADDRESS`, `ANSWER_TOO_OLD`, `CONNECT_TIMEOUT`, `ENDPOINT_CLOSED`.
   * @throws `INVALID_OPTION` for a port that is not one
   */
  connect(port: number): TrackedSocket {
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalidOption('port', 'a port from 1 to 65535', port);
    const socket = this.socket({ persist: () => false });
    return socket.connect(port);
  }

  /**
   * Follows a socket that somebody else made, connected or not: when the name leaves its address it is ended after
   * `drainMillis`, at once where the server there is dead, and in any case where it leads somewhere else from the start.
   * It stays a plain socket for its owner, who hears `'end'` and `'close'`, and an `'error'` (`ADDRESS_LEFT`,
   * `ADDRESS_DEAD`, `CONNECTION_LOST`) where the other side did not answer the end. Nothing is done to a socket that has
   * ended, or that is followed already. {@link close} gives it back.
   * @returns the socket
   * @throws `INVALID_OPTION` for what is no TCP socket, and for a wrong option; `ENDPOINT_CLOSED`
   */
  adopt<S extends Socket>(socket: S, options?: AdoptOptions): S {
    const read = readAdoptOptions(options);
    checkSocket(socket);
    if (this.isClosed) throw this.closedError();
    if (!(socket instanceof TrackedSocket)) this.#set.adopt(socket, read);
    return socket;
  }

  /**
   * An agent for `http.request`, or with `'https'` for `https.request`: requests to this name go where it points, and no
   * request is sent on a keep-alive socket to an address that it has left. Other names are left to Node.
   */
  agent(protocol?: 'http', options?: HttpAgentOptions & FollowingAgentOptions): HttpAgent;
  agent(protocol: 'https', options?: HttpsAgentOptions & FollowingAgentOptions): HttpsAgent;
  agent(protocol: 'http' | 'https' = 'http', options?: HttpsAgentOptions & FollowingAgentOptions): HttpAgent {
    return protocol === 'https' ? httpsAgent(this, options) : httpAgent(this, options);
  }

  /** For adapters: a tracked socket that dials when its driver calls `connect(port, host)`. */
  socket(plan: SocketPlan): TrackedSocket {
    return new TrackedSocket(this.#set, plan);
  }

  /**
   * For adapters: does a connection that was idle for long still answer? It is asked before it is handed out. If it does
   * not, all that were idle as long are closed too.
   */
  async confirm(socket: TrackedSocket): Promise<boolean> {
    const { service } = socket;
    if (service === null) return false;
    // With nobody to ask, nothing speaks against it.
    if (!canPing(socket)) return !socket.destroyed;
    const evidence = await ping(socket, this.#set.pingBound(service), this.options.clock);
    if (evidence === 'life') socket.quietMillis = 0;
    if (evidence === 'silence') this.#set.dropQuiet(service);
    return evidence === 'life';
  }

  /** For adapters: how to log in. Returns the way to take it back. */
  register(prober: Prober): () => void {
    this.#probers.add(prober);
    return () => this.#probers.delete(prober);
  }

  /**
   * For adapters: is the server of a lost session gone, or another one since? Asks it, unless that is known. `no` where
   * nobody can tell; never rejects.
   */
  async successionOf(lost: LostSession): Promise<Succession> {
    if (this.isAbandoned(lost)) return 'yes';
    const said = await this.#uptimes.successionOf(lost);
    return this.isAbandoned(lost) ? 'yes' : said;
  }

  /** For adapters: the same by what is known without a question. */
  isAbandoned({ service, lostAt }: LostSession): boolean {
    return !this.has(service.address) || this.wasAbsentAfter(service, lostAt);
  }

  override snapshot(): Snapshot {
    return { ...super.snapshot(), sockets: this.#set.counts() };
  }

  protected override onChanged(dropped: readonly Address[]): void {
    this.#judges.clear();
    this.#set.reconcile(dropped);
  }

  protected override onDialable(): void {
    this.#set.onDialable();
  }

  /** Every service that is used there, or that somebody could log in to, is asked by itself. */
  protected override onContested(): void {
    const address = this.current?.addresses[0];
    if (address === undefined) return;
    const used = this.#set.used().filter((service) => service.address === address);
    const ports = new Set([...used, ...this.#probers].map(({ port }) => port));
    for (const port of ports) void this.#examine({ address, port });
  }

  async #examine(service: Service): Promise<void> {
    const { address, port } = service;
    const judge = this.#judges.get(service) ?? new Judge(this.options.clock, systemKernel);
    this.#judges.set(service, judge);
    const sockets = this.#set.openOn(service);
    const [idle, prober, pingBoundMillis] = [sockets.filter(isIdle), this.#prober(port), this.#set.pingBound(service)];
    const condition = await judge.examine({ service, sockets, idle, prober, pingBoundMillis });
    if (condition === null || !this.has(address)) return;
    if (condition === 'dead') this.#set.bury(service);
    else
      this.report(
        service,
        condition,
        new Error(`the server at ${withPort(address, port)} was asked and is ${condition}`),
      );
  }

  #prober(port: number): Prober | undefined {
    return [...this.#probers].find((prober) => prober.port === port);
  }

  protected override onSuspectTick(): void {
    for (const service of this.#set.findLife()) this.noteLife(service);
  }

  protected override isUsed(service: Service): boolean {
    return this.#set.isUsed(service);
  }

  protected override onClosed(): void {
    this.#set.closeAll(this.closedReason);
  }

  protected override hasSockets(): boolean {
    return !this.#set.isEmpty;
  }

  protected override isAwaited(): boolean {
    return this.#set.isAwaited();
  }
}

/**
 * Follows a name: asks where it points now, and from then on.
 * @throws `INVALID_OPTION` that names the option
 */
export function follow(name: string, options?: FollowOptions): Endpoint {
  const endpoint = new Endpoint(name, options);
  endpoint.start();
  return endpoint;
}
