import type { Clock, Timer } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import type { Prober } from './connection.js';
import { ByteMarks } from './heard.js';
import { ping, probe } from './judge.js';
import { afterLook, afterQuestion, isDue, LOOK_MILLIS, noSilence, type Silence } from './silence.js';
import type { TrackedSocket } from './tracked-socket.js';

/** A connection that has heard nothing for this long is asked before it is handed out. */
const QUIET_MILLIS = 10_000;

/** What the watch needs of the sockets' set. */
export interface Watched {
  readonly clock: Clock;
  readonly sockets: ReadonlySet<TrackedSocket>;
  has(address: Address): boolean;
  pingBound(address: Address): number;
  prober(): Prober | undefined;
  /** A question to the server at this address was not answered. */
  unanswered(address: Address): void;
  /** Nor was the second one. */
  dead(address: Address): void;
}

/**
 * Looks at all sockets of an endpoint four times a second, and asks a server that keeps work waiting without a byte
 * whether it lives. It costs the sockets nothing: what they have read is counted by net anyway.
 */
export class SilenceWatch {
  readonly #host: Watched;
  readonly #silences: Map<Address, Silence> = new Map();
  readonly #asking: Set<Address> = new Set();
  readonly #marks: ByteMarks<TrackedSocket> = new ByteMarks();
  #timer: Timer | undefined;
  #lookedAt = 0;

  constructor(host: Watched) {
    this.#host = host;
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
    for (const [address, sockets] of this.#byAddress()) {
      const heard = this.#listen(sockets, elapsedMillis);
      if (this.#asking.has(address)) continue;
      const patient = patienceOf(sockets);
      const look = { heard, waiting: patient < Infinity, elapsedMillis };
      const silence = afterLook(this.#silences.get(address) ?? noSilence, look);
      this.#silences.set(address, silence);
      if (look.waiting && isDue(silence, patient)) void this.#ask(address, sockets, patient);
    }
  }

  /** Connections to present addresses; what is left drains by rules of its own. */
  #byAddress(): Map<Address, TrackedSocket[]> {
    const groups = new Map<Address, TrackedSocket[]>();
    for (const socket of this.#host.sockets) {
      const { state } = socket;
      if ((state.kind !== 'open' && state.kind !== 'handshake') || !this.#host.has(state.address)) continue;
      const group = groups.get(state.address);
      if (group === undefined) groups.set(state.address, [socket]);
      else group.push(socket);
    }
    for (const address of this.#silences.keys()) if (!groups.has(address)) this.#silences.delete(address);
    return groups;
  }

  #listen(sockets: readonly TrackedSocket[], elapsedMillis: number): boolean {
    let heard = false;
    for (const socket of sockets) {
      const grew = this.#marks.grew(socket);
      heard ||= grew;
      socket.quietMillis = grew ? 0 : socket.quietMillis + elapsedMillis;
    }
    return heard;
  }

  async #ask(address: Address, sockets: readonly TrackedSocket[], silenceMillis: number): Promise<void> {
    const before = this.#silences.get(address) ?? noSilence;
    this.#asking.add(address);
    const marks = new ByteMarks<TrackedSocket>();
    for (const socket of sockets) marks.grew(socket);
    const answered = await this.#answers(address, sockets, before.unanswered > 0);
    this.#asking.delete(address);
    if (!this.#host.has(address)) return;
    // Bytes that came meanwhile are as good an answer as any.
    const heard = sockets.some((socket) => marks.grew(socket));
    const [silence, finding] = afterQuestion(before, answered || heard, silenceMillis);
    this.#silences.set(address, silence);
    if (finding === 'suspect') this.#host.unanswered(address);
    if (finding === 'dead') this.#host.dead(address);
  }

  /** An idle connection is asked first; the second question is always a fresh log-in, since a flow may be broken. */
  async #answers(address: Address, sockets: readonly TrackedSocket[], again: boolean): Promise<boolean> {
    const { clock } = this.#host;
    const idle = again ? undefined : sockets.find(isIdle);
    if (idle !== undefined) {
      const answered = await ping(idle, this.#host.pingBound(address), clock).then(
        () => true,
        () => false,
      );
      // What it read is our own question's answer, and no progress of the work that waits.
      this.#marks.grew(idle);
      return answered;
    }
    const prober = this.#host.prober();
    // Without anybody who could ask, nothing speaks against the server.
    return prober === undefined || (await probe(address, prober, clock)) !== 'dead';
  }
}

export function isIdle({ state, connection }: TrackedSocket): boolean {
  return state.kind === 'open' && connection !== null && !connection.isLeased() && !connection.isWaiting();
}

/** How long the most impatient of those who wait for the server will; Infinity if nobody waits. */
function patienceOf(sockets: readonly TrackedSocket[]): number {
  let least = Infinity;
  for (const { state, connection } of sockets) {
    if (connection !== null && (state.kind === 'handshake' || connection.isWaiting())) {
      least = Math.min(least, connection.silenceMillis);
    }
  }
  return least;
}

/** Should it be asked whether it lives before it is handed out? */
export function isQuiet({ quietMillis }: TrackedSocket): boolean {
  return quietMillis >= QUIET_MILLIS;
}
