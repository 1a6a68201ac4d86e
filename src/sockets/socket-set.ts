import type { Clock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import type { Answer } from '../endpoint/answer.js';
import type { Condition } from '../endpoint/adopt.js';
import { EipPoolError } from '../errors.js';
import type { Prober } from './connection.js';
import { Gate } from './gate.js';
import { ByteMarks } from './heard.js';
import { partOf, type Parting } from './parting.js';
import { abandonProbes } from './judge.js';
import type { SocketHost, Target } from './socket-host.js';
import { isConnecting } from './socket-state.js';
import type { TrackedSocket } from './tracked-socket.js';
import { isIdle, isQuiet, SilenceWatch } from './watch.js';

/** What the set needs of its endpoint. */
export interface Following {
  readonly name: string;
  readonly current: Answer | null;
  readonly refusal: EipPoolError | null;
  has(address: Address): boolean;
  ready(): Promise<Answer>;
  report(address: Address, condition: Condition, cause?: unknown): void;
  suspect(address: Address, cause: unknown): void;
}

export interface SetOptions {
  readonly clock: Clock;
  readonly connectTimeoutMillis: number;
  readonly connectConcurrency: number;
}

/** Closing a thousand sockets at once must not block the event loop for longer than this. */
const SLICE_MILLIS = 4;

/** Every socket of one endpoint, made to agree with its answer whenever that changes. */
export class SocketSet implements SocketHost {
  readonly #endpoint: Following;
  readonly #options: SetOptions;
  readonly #sockets: Set<TrackedSocket> = new Set();
  readonly #gates: Map<Address, Gate> = new Map();
  /** How long the last connect to each address took. */
  readonly #connectMillis: Map<Address, number> = new Map();
  readonly #marks: ByteMarks<TrackedSocket> = new ByteMarks();
  readonly #watch: SilenceWatch;

  constructor(endpoint: Following, options: SetOptions, prober: () => Prober | undefined) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#watch = new SilenceWatch({
      clock: options.clock,
      sockets: this.#sockets,
      has: (address) => this.has(address),
      pingBound: (address) => this.pingBound(address),
      prober,
      unanswered: (address) => this.suspect(address, silent(address)),
      dead: (address) => this.bury(address),
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

  hasOther(tried: ReadonlySet<Address>): boolean {
    return this.#endpoint.current?.addresses.some((address) => !tried.has(address)) ?? false;
  }

  /** The first address of the answer that this socket has not tried, best of them first. */
  target(tried: ReadonlySet<Address>): Target {
    const cause = this.#endpoint.refusal;
    if (cause !== null) return { kind: 'refused', cause };
    const failures = (address: Address): number => this.#gates.get(address)?.failures ?? 0;
    const [address] = (this.#endpoint.current?.addresses ?? [])
      .toSorted((a, b) => Math.sign(failures(a)) - Math.sign(failures(b)))
      .toSorted((a, b) => Number(tried.has(a)) - Number(tried.has(b)));
    if (address === undefined) return { kind: 'unresolved' };
    return { kind: 'address', address, gate: this.#gate(address) };
  }

  async resolve(): Promise<void> {
    await this.#endpoint.ready();
  }

  report(address: Address, condition: Condition, cause?: unknown): void {
    this.#endpoint.report(address, condition, cause);
  }

  suspect(address: Address, cause: unknown): void {
    this.#endpoint.suspect(address, cause);
  }

  connected(address: Address, millis: number): void {
    this.#connectMillis.set(address, millis);
  }

  add(socket: TrackedSocket): void {
    this.#sockets.add(socket);
    this.#watch.start();
  }

  remove(socket: TrackedSocket): void {
    this.#sockets.delete(socket);
  }

  /** A connection of an adapter on this address that nobody uses. */
  idleOn(address: Address): TrackedSocket | undefined {
    return [...this.#sockets].find((socket) => isIdle(socket) && socket.dialledAddress === address);
  }

  /** How long a ping to this address may take: 250 ms, or five times what a connect takes if that is more. */
  pingBound(address: Address): number {
    return Math.max(250, 5 * (this.#connectMillis.get(address) ?? 0));
  }

  /** The answer changed. When this returns, no pool can hand out a connection to a dropped address. */
  reconcile(dropped: readonly Address[]): void {
    for (const address of dropped) this.#gates.delete(address);
    // No password is sent to an address that was left, by a probe neither.
    for (const address of dropped) abandonProbes(address);
    for (const socket of [...this.#sockets]) socket.reconsider();
    for (const address of dropped) this.#part(address, 'unknown');
    for (const address of dropped) this.#connectMillis.delete(address);
  }

  /** The server at a present address is dead: what runs there is cut now, and what logs in there begins anew. */
  bury(address: Address): void {
    const cause = silent(address);
    for (const socket of [...this.#sockets]) if (socket.dialledAddress === address) socket.failHandshake(cause);
    this.#part(address, 'dead');
    this.report(address, 'dead', cause);
  }

  /** One that was idle for long does not answer: it speaks for all on its address that were idle as long. */
  dropQuiet(address: Address): void {
    const quiet = [...this.#sockets].filter(
      (socket) => isQuiet(socket) && isIdle(socket) && socket.dialledAddress === address,
    );
    const error = new EipPoolError('ADDRESS_DEAD', `a connection to ${address} that had been idle does not answer`);
    for (const socket of quiet) {
      socket.leave();
      socket.connection?.retire();
    }
    this.#closeInSlices(quiet, error);
    this.suspect(address, error);
  }

  onDialable(): void {
    for (const socket of [...this.#sockets]) if (socket.state.kind === 'waiting') socket.reconsider();
  }

  /** An address on which a byte was read since the last look, if there is one. */
  findLife(): Address | null {
    let alive: Address | null = null;
    for (const socket of this.#sockets) {
      if (socket.state.kind !== 'open') continue;
      if (this.#marks.grew(socket) && this.has(socket.state.address)) alive = socket.state.address;
    }
    return alive;
  }

  /** Does anybody wait for a connection? */
  isAwaited(): boolean {
    for (const { state } of this.#sockets) if (isConnecting(state) || state.kind === 'handshake') return true;
    return false;
  }

  closeAll(error: Error): void {
    this.#watch.stop();
    for (const socket of [...this.#sockets]) if (!socket.ending) socket.cut(error);
  }

  counts(): { readonly open: number; readonly connecting: number; readonly leaving: number } {
    const kinds = [...this.#sockets].map((socket) => socket.state.kind);
    const open = kinds.filter((kind) => kind === 'open').length;
    const leaving = kinds.filter((kind) => kind === 'leaving').length;
    return { open, connecting: kinds.length - open - leaving, leaving };
  }

  #gate(address: Address): Gate {
    let gate = this.#gates.get(address);
    if (gate === undefined) {
      gate = new Gate(this.clock, this.#options.connectConcurrency);
      this.#gates.set(address, gate);
    }
    return gate;
  }

  #part(address: Address, known: 'unknown' | 'dead'): void {
    const there = [...this.#sockets].filter(({ state }) => state.kind === 'open' && state.address === address);
    if (there.length === 0) return;
    const parting: Parting = {
      name: this.name,
      address,
      to: this.#endpoint.current?.addresses ?? [],
      known,
      clock: this.clock,
      pingBoundMillis: this.pingBound(address),
      closeIdle: (sockets, error) => this.#closeInSlices(sockets, error),
    };
    partOf(there, parting);
  }

  #closeInSlices(sockets: readonly TrackedSocket[], error: EipPoolError): void {
    const until = this.clock.now() + SLICE_MILLIS;
    let done = 0;
    while (done < sockets.length && this.clock.now() < until) {
      sockets[done]?.farewell(error);
      done++;
    }
    if (done < sockets.length) setImmediate(() => this.#closeInSlices(sockets.slice(done), error));
  }
}

function silent(address: Address): EipPoolError {
  return new EipPoolError('ADDRESS_DEAD', `the server at ${address} does not answer`);
}
