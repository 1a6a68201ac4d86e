import type { Agent as HttpAgent, AgentOptions as HttpAgentOptions } from 'node:http';
import type { Agent as HttpsAgent, AgentOptions as HttpsAgentOptions } from 'node:https';
import type { Address } from '../endpoint/address.js';
import type { EndpointSnapshot } from '../endpoint/endpoint-events.js';
import { NameEndpoint } from '../endpoint/endpoint.js';
import type { FollowOptions } from '../endpoint/options.js';
import { isBranded } from '../errors.js';
import { invalidOption } from '../options.js';
import { type FollowingAgentOptions, httpAgent, httpsAgent } from './agent.js';
import type { Prober } from './connection.js';
import { Judge, ping } from './judge.js';
import { SocketSet } from './socket-set.js';
import type { SocketPlan } from './socket-host.js';
import { TrackedSocket } from './tracked-socket.js';

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
  readonly #judge: Judge;
  readonly #probers: Set<Prober> = new Set();

  constructor(name: string, options?: FollowOptions) {
    super(name, options);
    Object.defineProperty(this, BRAND, { value: true });
    // Each pool that shares it listens.
    this.setMaxListeners(0);
    this.#set = new SocketSet(this, this.options, () => this.#prober());
    this.#judge = new Judge(this.options.clock);
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
    const address = socket.dialledAddress ?? '';
    try {
      await ping(socket, this.#set.pingBound(address), this.options.clock);
      socket.quietMillis = 0;
      return true;
    } catch {
      this.#set.dropQuiet(address);
      return false;
    }
  }

  /** For adapters: how to log in. Returns the way to take it back. */
  register(prober: Prober): () => void {
    this.#probers.add(prober);
    return () => this.#probers.delete(prober);
  }

  override snapshot(): Snapshot {
    return { ...super.snapshot(), sockets: this.#set.counts() };
  }

  protected override onChanged(dropped: readonly Address[]): void {
    this.#judge.reset();
    this.#set.reconcile(dropped);
  }

  protected override onDialable(): void {
    this.#set.onDialable();
  }

  protected override onContested(): void {
    const address = this.current?.addresses[0];
    if (address === undefined) return;
    const idle = this.#set.idleOn(address);
    const judged = { address, idle, prober: this.#prober(), pingBoundMillis: this.#set.pingBound(address) };
    void this.#judge.examine(judged).then((condition) => {
      if (condition === null || !this.has(address)) return;
      if (condition === 'dead') this.#set.bury(address);
      else this.report(address, condition, new Error(`the server at ${address} was asked and is ${condition}`));
    });
  }

  #prober(): Prober | undefined {
    const [prober] = this.#probers;
    return prober;
  }

  protected override onSuspectTick(): void {
    const alive = this.#set.findLife();
    if (alive !== null) this.noteLife(alive);
  }

  protected override onClosed(): void {
    this.#set.closeAll(this.closedError());
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
