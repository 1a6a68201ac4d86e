import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as SecureAgentOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Address } from '../endpoint/address.js';
import { canonicalName } from '../endpoint/name.js';
import type { Connection } from './connection.js';
import type { SocketPlan } from './socket-host.js';
import type { TrackedSocket } from './tracked-socket.js';

export interface FollowingAgentOptions {
  /**
   * How long a request may go on, in milliseconds, on an address that the name has left.
   * @defaultValue 2_000
   */
  readonly drainMillis?: number | undefined;
}

/** What an agent needs of its endpoint. */
export interface AgentHost {
  readonly name: string;
  /** The answer may be of another time. */
  readonly slept: boolean;
  has(address: Address): boolean;
  socket(plan: SocketPlan): TrackedSocket;
}

/** What an agent makes a socket with: what of it the types of Node do not tell. */
interface Options {
  readonly host?: string;
  readonly hostname?: string;
  readonly socketPath?: string;
  readonly timeout?: number;
}
interface Base {
  readonly freeSockets: NodeJS.ReadOnlyDict<readonly Duplex[]>;
  addRequest(...request: unknown[]): void;
  createConnection(options: object, created?: unknown): Socket;
  keepSocketAlive(socket: Duplex): boolean;
}
type BaseConstructor = new (options?: object) => Base;

export function httpAgent(host: AgentHost, options: AgentOptions & FollowingAgentOptions = {}): HttpAgent {
  return makeAgent(HttpAgent as unknown as BaseConstructor, host, options, (socket) => socket) as unknown as HttpAgent;
}

export function httpsAgent(host: AgentHost, options: SecureAgentOptions & FollowingAgentOptions = {}): HttpsAgent {
  const secure = HttpsAgent as unknown as BaseConstructor;
  // The agent's own way, with its session cache; the name stays the one to verify.
  const upgrade: Upgrade = (socket, agent, own) => lookThrough(agent({ ...own, socket }), socket);
  return makeAgent(secure, host, options, upgrade) as unknown as HttpsAgent;
}

type Upgrade = (socket: TrackedSocket, stock: (options: object) => Socket, options: Options) => Socket;

function makeAgent(
  Stock: BaseConstructor,
  host: AgentHost,
  { drainMillis = 2_000, ...options }: object & FollowingAgentOptions,
  upgrade: Upgrade,
): Base {
  /** The tracked socket under what the agent was given. */
  const tracked: WeakMap<Duplex, TrackedSocket> = new WeakMap();
  const name = canonicalName(host.name);

  class Agent extends Stock {
    /** After a suspension nobody knows where the idle ones lead; a new one asks the name first. */
    override addRequest(...request: unknown[]): void {
      const idle = host.slept ? Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []) : [];
      for (const socket of idle) if (tracked.has(socket)) socket.destroy();
      super.addRequest(...request);
    }

    /** Node counts, times and destroys what it is given at once, from the first moment on, as it does its own sockets. */
    override createConnection(own: Options, created: unknown): Socket {
      const stock = (given: object): Socket => super.createConnection(given);
      const asked = own.host ?? own.hostname;
      if (own.socketPath || asked === undefined || canonicalName(asked) !== name) {
        return super.createConnection(own, created);
      }
      const socket = host.socket({ persist: () => false });
      const given = upgrade(socket, stock, own);
      tracked.set(given, socket);
      socket.carry(new AgentConnection(drainMillis, given, () => !isFree(this, given)));
      if (own.timeout) given.setTimeout(own.timeout);
      // TLS is there first: it would hold on to the first attempt's handle.
      socket.connect(own);
      return given;
    }

    /** Node asks after each response whether the socket may serve another request. */
    override keepSocketAlive(given: Duplex): boolean {
      const address = tracked.get(given)?.dialledAddress ?? null;
      return (address === null || host.has(address)) && super.keepSocketAlive(given);
    }
  }
  return new Agent(options);
}

/**
 * A TLS socket on one that is not connected yet reads and writes it as any stream, and cannot ask the system about it;
 * what belongs to the connection itself is that of the socket below.
 */
function lookThrough(secure: Socket, below: TrackedSocket): Socket {
  for (const method of ['ref', 'unref', 'setNoDelay', 'setKeepAlive'] as const) {
    const value = (...args: unknown[]): Socket => {
      Reflect.apply(below[method] as (...own: unknown[]) => unknown, below, args);
      return secure;
    };
    Object.defineProperty(secure, method, { value, configurable: true, writable: true });
  }
  Object.defineProperty(secure, 'address', { value: () => below.address(), configurable: true, writable: true });
  for (const property of [
    'remoteAddress',
    'remoteFamily',
    'remotePort',
    'localAddress',
    'localFamily',
    'localPort',
  ] as const) {
    Object.defineProperty(secure, property, { get: () => below[property], configurable: true });
  }
  return secure;
}

function isFree(agent: Base, socket: Duplex): boolean {
  return Object.values(agent.freeSockets).some((sockets) => sockets?.includes(socket) === true);
}

/** HTTP has no ping and no goodbye: an idle socket is closed at once, one with a request on it may drain. */
class AgentConnection implements Connection {
  readonly drainMillis: number;
  readonly drainOption: string = 'drainMillis';
  readonly isLeased: () => boolean;
  /** A response may take as long as it likes; nobody could ask the server meanwhile. */
  readonly silenceMillis: number = Infinity;
  readonly #socket: Duplex;

  constructor(drainMillis: number, socket: Duplex, isLeased: () => boolean) {
    this.drainMillis = drainMillis;
    this.#socket = socket;
    this.isLeased = isLeased;
  }

  isWaiting(): boolean {
    return false;
  }

  retire(): void {
    if (!this.isLeased()) this.#socket.destroy();
  }

  goodbye(): void {
    this.#socket.destroy();
  }
}
