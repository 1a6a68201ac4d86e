import type { Clock } from '../clock.js';
import { canonicalAddress, type Service, ServiceMap } from '../endpoint/address.js';
import { afterFacts, type FlowState, type Trail } from './flow.js';
import type { FlowEnds, FlowFacts, Kernel } from './kernel.js';
import type { Listed } from './session-lists.js';
import { afterList, type Idleness, isLost, NEXT_LIST_MILLIS } from './sessions.js';
import type { FollowedSocket } from './followed-socket.js';

export interface FlowsHost {
  readonly clock: Clock;
  readonly kernel: Kernel;
  /** How long an answer of the service may take. */
  pingBound(service: Service): number;
  /** What the server says of these sessions; null where it cannot be asked. `kept`: the kernel looks after them itself. */
  list(service: Service, ids: readonly number[], kept: boolean): Promise<Listed | null>;
  /** What was sent to it on one connection is not acknowledged, and it has not been heard since on any other one. */
  doubted(service: Service): void;
  lost(socket: FollowedSocket, why: string): void;
}

/** A connection on which work waits, and no byte comes. */
interface Flow {
  readonly since: number;
  silentMillis: number;
  /** What had been written when it was looked at last. */
  written: number;
  trail: Trail | null;
  idleness: Idleness | null;
  /** The silence after which the kernel is asked next, and the server. */
  kernelDueMillis: number;
  listDueMillis: number;
}

/** What a socket was when it was heard last. */
interface Past {
  readonly bornAt: number;
  written: number;
}

/** One look at the connections of a service on which work waits in silence. */
export interface FlowLook {
  readonly elapsedMillis: number;
  /** When the service was heard last, on any connection. */
  readonly aliveAt: number;
  /** How long each may be silent until it is asked about. */
  readonly silenceMillis: (socket: FollowedSocket) => number;
}

const LONGEST_PAUSE_MILLIS = 30_000;
/** A list takes a login, but a connection may be lost at any time. */
const LONGEST_LIST_PAUSE_MILLIS = 10_000;
/** No line that a statement is sent on is slower: until then the server may still be reading it. */
const SLOWEST_BYTES_PER_MILLI = 64;

/** Finds the connections that are lost while their server lives. */
export class Flows {
  readonly #host: FlowsHost;
  readonly #flows: WeakMap<FollowedSocket, Flow> = new WeakMap();
  readonly #pasts: WeakMap<FollowedSocket, Past> = new WeakMap();
  readonly #examining: ServiceMap<true> = new ServiceMap();

  constructor(host: FlowsHost) {
    this.#host = host;
  }

  /** At each look, of each socket: did it say anything since the last one, and does work wait on it? */
  see(socket: FollowedSocket, heard: boolean, waiting: boolean): void {
    const past = this.#pasts.get(socket);
    if (past === undefined) this.#pasts.set(socket, { bornAt: this.#host.clock.now(), written: 0 });
    else if (heard) past.written = socket.bytesWritten;
    if (heard || !waiting) this.#flows.delete(socket);
  }

  look(service: Service, waiting: readonly FollowedSocket[], look: FlowLook): void {
    const due = waiting.filter((socket) => this.#isDue(socket, look));
    if (due.length === 0 || this.#examining.get(service) === true) return;
    this.#examining.set(service, true);
    void this.#examine(service, due, look.aliveAt).finally(() => this.#examining.delete(service));
  }

  /** The server has said what its sessions do. */
  note(sockets: readonly FollowedSocket[], { list, direct }: Listed): void {
    const now = this.#host.clock.now();
    for (const socket of sockets) {
      const flow = this.#flows.get(socket);
      const [id, past] = [socket.connection?.sessionId, this.#pasts.get(socket)];
      if (flow === undefined || id == null || past === undefined) continue;
      const claim = { id, ageMillis: now - past.bornAt, client: `${endsOf(socket).localAddress}:${socket.localPort}` };
      const idleness = this.#mayRead(socket, flow) ? afterList(flow.idleness, list, claim, direct) : null;
      flow.idleness = idleness;
      flow.listDueMillis = flow.silentMillis + (idleness === null ? listPauseOf(flow) : NEXT_LIST_MILLIS);
      if (idleness === null || !isLost(idleness)) continue;
      this.#flows.delete(socket);
      this.#host.lost(socket, 'its session there waits for this side');
    }
  }

  #isDue(socket: FollowedSocket, { elapsedMillis, silenceMillis }: FlowLook): boolean {
    const flow = this.#flows.get(socket);
    if (flow === undefined) {
      this.#flows.set(socket, this.#begin(socket, silenceMillis(socket)));
      return false;
    }
    flow.silentMillis += elapsedMillis;
    if (socket.bytesWritten > flow.written) {
      flow.written = socket.bytesWritten;
      flow.kernelDueMillis = Math.min(flow.kernelDueMillis, flow.silentMillis + silenceMillis(socket));
    }
    return flow.silentMillis >= Math.min(flow.kernelDueMillis, flow.listDueMillis);
  }

  #begin(socket: FollowedSocket, silenceMillis: number): Flow {
    return {
      since: this.#host.clock.now(),
      silentMillis: 0,
      written: socket.bytesWritten,
      trail: null,
      idleness: null,
      // The kernel knows early of what it has to send again, and costs the server nothing.
      kernelDueMillis: silenceMillis / 2,
      listDueMillis: silenceMillis,
    };
  }

  async #examine(service: Service, sockets: readonly FollowedSocket[], aliveAt: number): Promise<void> {
    const facts = await this.#host.kernel.look(sockets.map(endsOf));
    const asked: FollowedSocket[] = [];
    let kept = true;
    for (const [index, socket] of sockets.entries()) {
      const [flow, fact] = [this.#flows.get(socket), facts[index] ?? null];
      // It was heard meanwhile, or has ended.
      if (flow === undefined) continue;
      const alive = aliveAt >= flow.since;
      const carries = this.#after(service, socket, flow, fact, alive);
      if (!carries || !alive || flow.silentMillis < flow.listDueMillis) continue;
      asked.push(socket);
      kept &&= fact?.kept === true;
    }
    const ids = asked.map(({ connection }) => connection?.sessionId).filter((id) => id != null);
    for (const socket of asked) this.#postpone(socket);
    const listed = ids.length === 0 ? null : await this.#host.list(service, ids, kept);
    if (listed !== null) this.note(asked, listed);
  }

  #postpone(socket: FollowedSocket): void {
    const flow = this.#flows.get(socket);
    if (flow !== undefined) flow.listDueMillis = flow.silentMillis + listPauseOf(flow);
  }

  /** Does what is sent on it arrive, as far as the kernel knows? */
  #after(service: Service, socket: FollowedSocket, flow: Flow, facts: FlowFacts | null, alive: boolean): boolean {
    const { clock } = this.#host;
    const witnessed = { now: clock.now(), boundMillis: this.#host.pingBound(service), alive };
    const state: FlowState = facts === null ? { kind: 'carries' } : afterFacts(flow.trail, facts, witnessed);
    switch (state.kind) {
      case 'lost':
        this.#flows.delete(socket);
        this.#host.lost(socket, 'what was sent on it is not acknowledged');
        return false;
      case 'doubtful':
        if (!alive) this.#host.doubted(service);
        flow.trail = state.trail;
        flow.kernelDueMillis = flow.silentMillis;
        return false;
      case 'carries':
        flow.trail = null;
        flow.kernelDueMillis = flow.silentMillis + pauseOf(flow);
        return true;
    }
  }

  /** Has the server had the time to read all of what it is to answer? */
  #mayRead(socket: FollowedSocket, { silentMillis }: Flow): boolean {
    const written = socket.bytesWritten - (this.#pasts.get(socket)?.written ?? 0);
    return socket.writableLength === 0 && written <= silentMillis * SLOWEST_BYTES_PER_MILLI;
  }
}

/** Asked ever less often of one on which nothing is wrong but that it takes long. */
function pauseOf({ silentMillis }: Flow): number {
  return Math.min(LONGEST_PAUSE_MILLIS, silentMillis);
}

/** Longer than the watch's own pauses at first, since its questions ask for the list too. */
function listPauseOf({ silentMillis }: Flow): number {
  return Math.min(LONGEST_LIST_PAUSE_MILLIS, Math.max(1_000, 3 * silentMillis));
}

export function endsOf({ localAddress, localPort, remoteAddress, remotePort }: FollowedSocket): FlowEnds {
  return {
    localAddress: canonicalAddress(localAddress) ?? '',
    localPort: localPort ?? 0,
    remoteAddress: canonicalAddress(remoteAddress) ?? '',
    remotePort: remotePort ?? 0,
  };
}
