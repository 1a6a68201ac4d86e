import { once } from 'node:events';
import { unlink } from 'node:fs/promises';
import net, { type Server, type Socket } from 'node:net';
import { systemClock } from '../../clock.js';
import { codeOf, messageOf } from '../../errors.js';
import { type Endpoint, follow } from '../../sockets/endpoint.js';
import { proxyHeader } from './header.js';
import { type Listen, placeText } from './places.js';
import { loadProber } from './probers.js';
import { END_REASONS, type EndReason, Relay, SILENCE_MILLIS } from './relay.js';
import type { RouteSettings } from './settings.js';

/** As that of every socket of an endpoint. */
const KEEPALIVE_MILLIS = 5_000;
/** How long a server may take to accept a connection that is made to see whether one is there. */
const CHECK_MILLIS = 1_000;

/** What a route has seen since it was opened. */
export interface RouteCounts {
  readonly accepted: number;
  /** Closed at once: there were `maxConnections` already. */
  readonly dropped: number;
  readonly moves: number;
  readonly ended: Readonly<Record<EndReason, number>>;
  readonly bytesFromClients: number;
  readonly bytesToClients: number;
}

/** One place where the proxy listens, and the name to which it leads. */
export class Route {
  readonly settings: RouteSettings;
  readonly endpoint: Endpoint;
  /** Told of each client that got a server, how long it had waited. */
  onJoined: (waitedMillis: number) => void = () => {};
  /** Told of the first client in a row that got none, and of the last failure. */
  onUnreached: (cause: unknown) => void = () => {};
  /** Told once each time the route is full. */
  onFull: () => void = () => {};
  readonly #server: Server;
  readonly #relays: Set<Relay> = new Set();
  readonly #ended: Record<EndReason, number>;
  #accepted = 0;
  #dropped = 0;
  #moves = 0;
  #isFull = false;
  #isUnreached = false;
  #bytes = { fromClients: 0, toClients: 0 };
  #empty: () => void = () => {};
  #listening: Listen | null = null;

  /** @throws `INVALID_OPTION` for a name, or for options, that are none */
  constructor(settings: RouteSettings) {
    this.settings = settings;
    this.#ended = Object.fromEntries(END_REASONS.map((reason) => [reason, 0])) as Record<EndReason, number>;
    this.endpoint = follow(settings.target.name, settings.follow);
    this.endpoint.on('move', () => this.#moves++);
    const ends = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MILLIS };
    this.#server = net.createServer(ends, (front) => this.#accept(front));
    this.#server.maxConnections = settings.maxConnections;
    this.#server.on('drop', () => this.#onDrop());
  }

  /** Where it listens; the port is known once it does. */
  get listening(): Listen {
    return this.#listening ?? this.settings.listen;
  }

  get counts(): RouteCounts {
    const bytes = { ...this.#bytes };
    for (const relay of this.#relays) {
      bytes.fromClients += relay.bytes.fromClient;
      bytes.toClients += relay.bytes.toClient;
    }
    return {
      accepted: this.#accepted,
      dropped: this.#dropped,
      moves: this.#moves,
      ended: { ...this.#ended },
      bytesFromClients: bytes.fromClients,
      bytesToClients: bytes.toClients,
    };
  }

  /** Clients that wait for a server, and all others that are connected. */
  get clients(): { readonly waiting: number; readonly open: number } {
    let waiting = 0;
    for (const { state } of this.#relays) if (state.kind === 'waiting') waiting++;
    return { waiting, open: this.#relays.size - waiting };
  }

  /**
   * Listens, and accepts from then on.
   * @throws `PEER_MISSING`; an error that says why nobody can listen there
   */
  async open(): Promise<void> {
    const { listen, protocol, target, proxyProtocol } = this.settings;
    if (protocol !== null) this.endpoint.register(await loadProber(protocol, target.port, proxyProtocol));
    if (listen.kind === 'unix') await removeLeftover(listen.path);
    try {
      this.#server.listen(listen.kind === 'unix' ? { path: listen.path } : { host: listen.host, port: listen.port });
      await once(this.#server, 'listening');
    } catch (error) {
      throw new Error(`cannot listen on ${placeText(listen)}: ${messageOf(error)}`, { cause: error });
    }
    // Whatever accepting fails with, as for want of file descriptors, the next one may be accepted.
    this.#server.on('error', () => {});
    const bound = this.#server.address();
    this.#listening = listen.kind === 'tcp' && typeof bound === 'object' ? { ...listen, port: bound!.port } : listen;
  }

  /** Whether a client that came now would get a server, as far as that is known; connects where it is not. */
  async isReady(): Promise<boolean> {
    const { state } = this.endpoint;
    if (state === 'steady') return true;
    if (state === 'closed') return false;
    return await reaches(this.endpoint, this.settings.target.port);
  }

  /** Accepts nobody any more; resolves when nobody is left. */
  async drain(): Promise<void> {
    this.#server.close();
    if (this.#relays.size > 0) await new Promise<void>((resolve) => (this.#empty = resolve));
  }

  /** Ends what is left, at once. */
  close(): void {
    this.#server.close();
    for (const relay of [...this.#relays]) relay.end('stopped');
    this.endpoint.close();
  }

  #accept(front: Socket): void {
    const { target, deadlineMillis, drainMillis, proxyProtocol, listen } = this.settings;
    this.#accepted++;
    const relay = new Relay(front, {
      clock: systemClock,
      deadlineMillis,
      drainMillis,
      silenceMillis: SILENCE_MILLIS,
      makeBack: (plan) => this.endpoint.socket(plan),
      port: target.port,
      header: proxyProtocol ? proxyHeader(front) : null,
      resets: listen.kind === 'tcp',
      onJoined: (waitedMillis) => this.#onJoined(waitedMillis),
      onOver: (over, reason) => this.#onOver(over, reason),
    });
    this.#relays.add(relay);
  }

  #onJoined(waitedMillis: number): void {
    this.#isUnreached = false;
    this.onJoined(waitedMillis);
  }

  #onDrop(): void {
    this.#dropped++;
    if (this.#isFull) return;
    this.#isFull = true;
    this.onFull();
  }

  #onOver(relay: Relay, reason: EndReason): void {
    this.#relays.delete(relay);
    this.#isFull = false;
    this.#ended[reason]++;
    this.#bytes.fromClients += relay.bytes.fromClient;
    this.#bytes.toClients += relay.bytes.toClient;
    if (this.#relays.size === 0) this.#empty();
    if (reason !== 'unreached' || this.#isUnreached) return;
    this.#isUnreached = true;
    this.onUnreached(relay.lastError);
  }
}

/** A proxy that was killed leaves its Unix socket behind; one that lives answers there. */
async function removeLeftover(path: string): Promise<void> {
  const failure = await new Promise<unknown>((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.once('error', resolve);
  });
  if (codeOf(failure) === 'ECONNREFUSED') await unlink(path);
}

/** Does a server take a connection, or is one there that may take it soon? */
function reaches(endpoint: Endpoint, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = endpoint.socket({ persist: () => false, hurried: () => true });
    const late = systemClock.setAwaited(() => socket.destroy(), CHECK_MILLIS);
    const over = (reached: boolean): void => {
      systemClock.clear(late);
      resolve(reached);
    };
    socket.on('error', () => {});
    socket.once('connect', () => {
      over(true);
      socket.end();
    });
    socket.once('close', () => over(false));
    socket.connect(port);
  });
}
