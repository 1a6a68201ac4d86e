import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as SecureAgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Address } from '../endpoint/address.js';
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
  has(address: Address): boolean;
  socket(plan: SocketPlan): TrackedSocket;
}

/** What an agent makes a socket with: what of it the types of Node do not tell. */
interface Options {
  readonly host?: string;
  readonly hostname?: string;
  readonly port?: number | string;
}
type Created = (error: Error | null, socket?: Duplex) => void;
interface Base {
  readonly freeSockets: NodeJS.ReadOnlyDict<readonly object[]>;
  createConnection(options: object, created?: Created): Duplex | undefined;
  keepSocketAlive(socket: Duplex): boolean;
}
type BaseConstructor = new (options?: object) => Base;

export function httpAgent(host: AgentHost, options: AgentOptions & FollowingAgentOptions = {}): HttpAgent {
  return makeAgent(HttpAgent as unknown as BaseConstructor, host, options, (socket) => socket) as unknown as HttpAgent;
}

export function httpsAgent(host: AgentHost, options: SecureAgentOptions & FollowingAgentOptions = {}): HttpsAgent {
  const secure = HttpsAgent as unknown as BaseConstructor;
  // The agent's own way, with its session cache; the name stays the one to verify.
  const upgrade: Upgrade = (socket, agent, own) => agent({ ...own, socket }) ?? socket;
  return makeAgent(secure, host, options, upgrade) as unknown as HttpsAgent;
}

type Upgrade = (socket: TrackedSocket, stock: (options: object) => Duplex | undefined, options: Options) => Duplex;

function makeAgent(
  Stock: BaseConstructor,
  host: AgentHost,
  { drainMillis = 2_000, ...options }: object & FollowingAgentOptions,
  upgrade: Upgrade,
): Base {
  /** The tracked socket under what the agent was given. */
  const tracked: WeakMap<Duplex, TrackedSocket> = new WeakMap();

  class Agent extends Stock {
    override createConnection(own: Options, created: Created): Duplex | undefined {
      const stock = (given: object): Duplex | undefined => super.createConnection(given);
      if ((own.host ?? own.hostname) !== host.name) return super.createConnection(own, created);
      const socket = host.socket({ persist: () => false });
      const failed = (error: Error): void => created(error);
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        const given = upgrade(socket, stock, own);
        tracked.set(given, socket);
        socket.carry(new AgentConnection(drainMillis, given, () => !isFree(this, given)));
        created(null, given);
      });
      socket.connect(Number(own.port));
      return undefined;
    }

    /** Node asks after each response whether the socket may serve another request. */
    override keepSocketAlive(given: Duplex): boolean {
      const address = tracked.get(given)?.dialledAddress ?? null;
      return (address === null || host.has(address)) && super.keepSocketAlive(given);
    }
  }
  return new Agent(options);
}

function isFree(agent: Base, socket: Duplex): boolean {
  return Object.values(agent.freeSockets).some((sockets) => sockets?.includes(socket) === true);
}

/** HTTP has no ping and no goodbye: an idle socket is closed at once, one with a request on it may drain. */
class AgentConnection implements Connection {
  readonly drainMillis: number;
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

  ping(): Promise<void> {
    return Promise.resolve();
  }
}
