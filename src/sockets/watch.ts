import { type Clock, setImmediate, type Timer } from '../clock.js';
import { type Address, type Service, ServiceMap } from '../endpoint/address.js';
import type { Prober } from './connection.js';
import { Flows } from './flows.js';
import { ByteMarks } from './heard.js';
import { inquire, type Round } from './inquiry.js';
import { type Kernel } from './kernel.js';
import type { ProbeSocket } from './probe-socket.js';
import { type Listed, SessionLists } from './session-lists.js';
import { afterLook, afterVerdict, isDue, LOOK_MILLIS, noSilence, readableMillis, type Silence } from './silence.js';
import type { FollowedSocket } from './followed-socket.js';

/** A connection that has heard nothing for this long is asked before it is handed out. */
const QUIET_MILLIS = 10_000;
/** A server that took the connection may be slow to speak: so many times what a question may take otherwise. */
const SLOW_TO_SPEAK = 3;

/** What the watch needs of the sockets' set. */
export interface Watched {
  readonly clock: Clock;
  readonly kernel: Kernel;
  readonly sockets: ReadonlySet<FollowedSocket>;
  has(address: Address): boolean;
  pingBound(service: Service): number;
  prober(service: Service): Prober | undefined;
  /** A question to this service was not answered. */
  unanswered(service: Service): void;
  /** The second one was, or the first one after all. */
  answered(service: Service): void;
  /** Nor was the second one. */
  dead(service: Service): void;
  /** It has ended, and its set may not have heard of it. */
  over(socket: FollowedSocket): void;
  /** The server lives, and this connection to it is lost. */
  lost(socket: FollowedSocket, why: string): void;
}

/** The connections to one service. */
interface Group {
  readonly service: Service;
  readonly sockets: FollowedSocket[];
  readonly waiting: FollowedSocket[];
}

/**
 * Looks at all sockets of an endpoint four times a second, and asks a server that keeps work waiting without a byte
 * whether it lives, and the kernel and the server of a connection that is silent while its server lives. It costs the
 * sockets nothing: what they have read is counted by net anyway.
 */
export class SilenceWatch {
  readonly #host: Watched;
  readonly #silences: ServiceMap<Silence> = new ServiceMap();
  readonly #asking: ServiceMap<true> = new ServiceMap();
  /** Those that are to be asked before it is time. */
  readonly #doubted: ServiceMap<true> = new ServiceMap();
  /** When a service was heard last. */
  readonly #aliveAt: ServiceMap<number> = new ServiceMap();
  readonly #marks: ByteMarks<FollowedSocket> = new ByteMarks();
  readonly #flows: Flows;
  readonly #lists: SessionLists;
  #timer: Timer | undefined;
  #lookedAt = 0;

  constructor(host: Watched) {
    this.#host = host;
    this.#lists = new SessionLists(host.clock);
    this.#flows = new Flows({
      clock: host.clock,
      kernel: host.kernel,
      pingBound: (service) => host.pingBound(service),
      list: (service, ids, kept) => this.#list(service, ids, kept),
      doubted: (service) => void this.#doubted.set(service, true),
      lost: (socket, why) => host.lost(socket, why),
    });
  }

  /** Goes on for as long as there are sockets. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#lookedAt = this.#host.clock.now();
    this.#arm();
  }

  stop(): void {
    this.#host.clock.clear(this.#timer);
    this.#timer = undefined;
    this.#silences.clear();
    this.#aliveAt.clear();
  }

  #arm(): void {
    // After the sockets' turn in the event loop, so that what is there has been read.
    this.#timer = this.#host.clock.set(() => void setImmediate(() => this.#tick()), LOOK_MILLIS);
  }

  #tick(): void {
    if (this.#timer === undefined) return;
    if (this.#host.sockets.size === 0) return this.stop();
    this.#look();
    this.#arm();
  }

  #look(): void {
    const now = this.#host.clock.now();
    const elapsedMillis = now - this.#lookedAt;
    this.#lookedAt = now;
    for (const group of this.#groups()) {
      const { service, waiting } = group;
      const heard = this.#listen(group, elapsedMillis);
      if (heard) this.#aliveAt.set(service, now);
      const readable = readableMillis(elapsedMillis);
      const aliveAt = this.#aliveAt.get(service) ?? -Infinity;
      this.#flows.look(service, waiting, { elapsedMillis: readable, aliveAt, silenceMillis });
      if (this.#asking.get(service) === true) continue;
      const look = { heard, waiting: waiting.length > 0, elapsedMillis: readable };
      const silence = afterLook(this.#silences.get(service) ?? noSilence, look);
      this.#silences.set(service, silence);
      const patient = Math.min(...waiting.map(silenceMillis));
      const due = isDue(silence, patient) || this.#doubted.get(service) === true;
      if (look.waiting && due) void this.#ask(group, patient);
    }
  }

  /** Connections to present addresses; what is left drains by rules of its own. */
  #groups(): Group[] {
    const groups = new ServiceMap<Group>();
    for (const socket of this.#host.sockets) {
      const { state, service } = socket;
      if (state.kind === 'closed') this.#host.over(socket);
      if ((state.kind !== 'open' && state.kind !== 'handshake') || service === null) continue;
      if (!this.#host.has(service.address)) continue;
      let group = groups.get(service);
      if (group === undefined) groups.set(service, (group = { service, sockets: [], waiting: [] }));
      group.sockets.push(socket);
    }
    for (const [service] of [...this.#silences.entries()]) {
      if (groups.get(service) === undefined) this.#silences.delete(service);
    }
    return [...groups.entries()].map(([, group]) => group);
  }

  /** Sorts out those on which work waits, while it looks at each. */
  #listen({ sockets, waiting }: Group, elapsedMillis: number): boolean {
    let heard = false;
    for (const socket of sockets) {
      const grew = this.#marks.grew(socket);
      const waits = isWaiting(socket);
      heard ||= grew;
      socket.quietMillis = grew ? 0 : socket.quietMillis + elapsedMillis;
      this.#flows.see(socket, grew, waits);
      if (waits) waiting.push(socket);
    }
    return heard;
  }

  async #ask({ service, sockets, waiting }: Group, patientMillis: number): Promise<void> {
    const { clock, kernel } = this.#host;
    const prober = this.#host.prober(service);
    // Without anybody who could ask, nothing speaks against the server.
    if (prober === undefined) return;
    this.#asking.set(service, true);
    let unanswered = false;
    const { verdict } = await inquire({
      service,
      clock,
      present: true,
      ask: (socket, round) => this.#put(socket, round, { service, prober, waiting }),
      sockets,
      idle: sockets.filter(isIdle),
      pingFrom: 'second',
      kernel,
      boundMillis: prober.timeoutMillis,
      silenceMillis: SLOW_TO_SPEAK * prober.timeoutMillis,
      onUnanswered: () => {
        unanswered = true;
        this.#host.unanswered(service);
      },
    });
    this.#asking.delete(service);
    this.#doubted.delete(service);
    // What was read meanwhile may be the answer to a ping, and no progress of the work that waits.
    if (verdict === 'alive') for (const socket of sockets) this.#marks.grew(socket);
    if (verdict === 'alive') this.#aliveAt.set(service, clock.now());
    if (!this.#host.has(service.address)) return;
    this.#silences.set(service, afterVerdict(this.#silences.get(service) ?? noSilence, verdict, patientMillis));
    if (verdict === 'alive' && unanswered) this.#host.answered(service);
    if (verdict === 'dead') this.#host.dead(service);
  }

  /** Where the server can tell what became of the work, the first question is that. */
  #put(socket: ProbeSocket, round: Round, { service, prober, waiting }: Asked): Promise<unknown> | null {
    const ids = waiting.map(({ connection }) => connection?.sessionId).filter((id) => id != null);
    const lists = this.#lists;
    const tells = round === 'first' && ids.length > 0 && !lists.isDirect(service) && this.#canList(service, prober);
    if (!tells) return prober.ask(socket);
    return lists.askOn(socket, service, prober, ids).then((listed) => {
      if (listed !== null && this.#host.has(service.address)) this.#flows.note(waiting, listed);
    });
  }

  async #list(service: Service, ids: readonly number[], kept: boolean): Promise<Listed | null> {
    const prober = this.#host.prober(service);
    if (prober === undefined || (kept && this.#lists.isDirect(service))) return null;
    return this.#canList(service, prober) ? await this.#lists.ask(service, prober, ids) : null;
  }

  /** Two sessions with one number are sessions of two servers. */
  #canList(service: Service, prober: Prober): boolean {
    if (!this.#lists.canAsk(service, prober)) return false;
    const ids = new Set<number>();
    for (const { service: other, connection, destroyed } of this.#host.sockets) {
      const id = connection?.sessionId;
      if (destroyed || id == null || other?.port !== service.port || other.address !== service.address) continue;
      if (ids.has(id)) return false;
      ids.add(id);
    }
    return true;
  }
}

interface Asked {
  readonly service: Service;
  readonly prober: Prober;
  readonly waiting: readonly FollowedSocket[];
}

export function isIdle({ state, connection }: FollowedSocket): boolean {
  return state.kind === 'open' && connection !== null && !connection.isLeased() && !connection.isWaiting();
}

/** Does work wait for the server on it, a login too? */
function isWaiting({ state, connection }: FollowedSocket): boolean {
  return connection !== null && (state.kind === 'handshake' || connection.isWaiting());
}

function silenceMillis({ connection }: FollowedSocket): number {
  return connection?.silenceMillis ?? Infinity;
}

/** Should it be asked whether it lives before it is handed out? */
export function isQuiet({ quietMillis }: FollowedSocket): boolean {
  return quietMillis >= QUIET_MILLIS;
}
