import type { Socket } from 'node:net';
import { EipPoolError, messageOf } from '../errors.js';
import { millis } from '../options.js';
import type { Database, LabDatabase } from './database.js';
import { type HostFault, isListening, passageOf } from './host-fault.js';
import type { Network, TcpFlow } from './lab-network.js';
import { Listener } from './listener.js';
import { type Backend, ProxiedConnection } from './proxied-connection.js';

export interface HostSnapshot {
  readonly id: string;
  readonly address: string;
  readonly addresses: readonly string[];
  readonly fault: HostFault;
  readonly blackholed: boolean;
  readonly connections: number;
  readonly accepted: number;
}

/**
 * An instance: addresses that clients dial, a database behind them, and faults. A fault replaces the one before it,
 * and is in force when its call returns.
 */
export class LabHost {
  /** From 0. */
  readonly index: number;
  /** `host-0`, `host-1`, … */
  readonly id: string;
  readonly #network: Network;
  readonly #listeners: Listener[] = [];
  readonly #connections: Set<ProxiedConnection> = new Set();
  readonly #acceptedBy: Map<string, number> = new Map();
  #backend: Backend = { kind: 'echo' };
  #shownDatabase: LabDatabase | undefined;
  #databaseListens: boolean = true;
  #port: number = 0;
  #fault: HostFault = { kind: 'none' };
  #blackholed: boolean = false;
  /** What {@link loseFlows} has lost since the last {@link restore}. */
  #lostFlows: TcpFlow[] = [];
  /** Opening is asynchronous: one change of the doors after the other. */
  #doors: Promise<void> = Promise.resolve();

  /** Internal: the lab makes its hosts. */
  constructor(index: number, network: Network) {
    this.index = index;
    this.#network = network;
    this.id = `host-${index}`;
  }

  /** The address it has now: the one that a move to it puts into the name. */
  get address(): string {
    return this.#listeners.at(-1)?.address ?? '';
  }

  /** Every address it ever had, oldest first. It still answers on all of them. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get port(): number {
    return this.#port;
  }

  /** The server behind it. Its own faults are those of a process; the host's are those of a machine. */
  get database(): LabDatabase {
    return (this.#shownDatabase ??= this.#show(echoOf(this)));
  }

  get fault(): HostFault {
    return this.#fault;
  }

  /** Whether packets to and from it get lost; besides any {@link fault}. */
  get blackholed(): boolean {
    return this.#blackholed;
  }

  /** Client connections that are open as far as the host knows. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Client connections accepted ever. */
  get accepted(): number {
    return [...this.#acceptedBy.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Client connections accepted ever, by the host's address that was dialled. */
  get acceptedBy(): ReadonlyMap<string, number> {
    return this.#acceptedBy;
  }

  /** The server process died, the machine is up: all connections get an RST, new ones are refused. */
  kill(): void {
    this.#setFault({ kind: 'killed' });
    this.resetConnections();
  }

  /** New connections are refused; open ones go on. */
  refuse(): void {
    this.#setFault({ kind: 'refusing' });
  }

  /**
   * The host falls silent: its kernel completes handshakes and acknowledges bytes, but nothing is read, answered or closed,
   * whatever the other side does. (A stall, not a blackhole: there packets get lost.) After {@link restore} the connections go on.
   */
  stall(): void {
    this.#setFault({ kind: 'stalled' });
  }

  /** Each direction's data arrives `delayMillis` late, FINs too; connects do not. */
  slow(delayMillis: number): void {
    this.#setFault({ kind: 'slow', millis: millis(0, 0)(delayMillis, 'slow.millis') });
  }

  /**
   * The host is gone: each packet to and from any of its addresses gets lost, without a RST or an ICMP message. In force when
   * the promise resolves. Inside {@link runInNetwork} only; elsewhere `LAB_UNAVAILABLE`.
   */
  async blackhole(): Promise<void> {
    if (this.#blackholed) return;
    await this.#network.drop(this.addresses);
    this.#blackholed = true;
  }

  /** Packets arrive again. What TCP still holds is sent again, in its own time. */
  async unblackhole(): Promise<void> {
    if (!this.#blackholed) return;
    this.#blackholed = false;
    await this.#network.undrop(this.addresses);
  }

  /**
   * The connections that are open now are lost, each by itself: a NAT or a firewall has forgotten them. The server lives,
   * takes new connections, and still has its sessions of the old ones; neither side is told, and no byte passes any more.
   * Inside {@link runInNetwork} their packets get lost. On loopback the host still acknowledges what it is sent, as a load
   * balancer that has lost the way behind it. In force when the promise resolves, until {@link restore}, which resets
   * them; besides any {@link fault}.
   */
  async loseFlows(): Promise<void> {
    const lost = [...this.#connections].filter((connection) => !connection.isLost);
    const flows = lost.map((connection) => connection.flow).filter((flow) => flow !== null);
    for (const connection of lost) connection.lose();
    this.#lostFlows.push(...flows);
    await this.#network.dropFlows(flows);
  }

  /**
   * Well again: packets arrive, it listens, forwards, answers; lost connections are reset. Resolves when it listens. Does not
   * restart a database that was killed itself.
   */
  async restore(): Promise<void> {
    this.#setFault({ kind: 'none' });
    await this.#network.undropFlows(this.#lostFlows.splice(0));
    for (const connection of this.#connections) if (connection.isLost) connection.reset();
    await this.unblackhole();
    await this.#doors;
  }

  /** Resets all open connections and goes on: a network device that forgot its flows, and says so. */
  resetConnections(): void {
    for (const connection of this.#connections) connection.reset();
  }

  snapshot(): HostSnapshot {
    const { id, address, addresses, fault, blackholed, connections, accepted } = this;
    return { id, address, addresses, fault, blackholed, connections, accepted };
  }

  /** Internal: the lab gives it its server; until then it echoes. */
  setDatabase(database: Database): void {
    this.#backend = { kind: 'server', address: database.address, port: database.port };
    this.#shownDatabase = this.#show(database);
    database.subscribe?.((listening) => {
      this.#databaseListens = listening;
      this.#moveDoors();
    });
  }

  /** Internal: a further address; it becomes the current one. Listens there unless a fault says otherwise. */
  async addAddress(address: string, port: number): Promise<number> {
    const listener = new Listener(address, (client, dialled) => this.#accept(client, dialled));
    this.#port = await listener.open(port);
    this.#listeners.push(listener);
    if (this.#blackholed) await this.#network.drop([address]);
    this.#moveDoors();
    await this.#doors;
    return this.#port;
  }

  /** Internal: the port was not free on another host, so the lab begins anew. */
  dropAddresses(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  /** Internal: the lab closes its hosts. */
  closeSync(): void {
    for (const listener of this.#listeners) listener.close();
    this.resetConnections();
  }

  #accept(client: Socket, dialled: string): void {
    this.#acceptedBy.set(dialled, (this.#acceptedBy.get(dialled) ?? 0) + 1);
    if (!this.#isOpen()) {
      client.resetAndDestroy(); // accepted by the kernel just before the doors closed
      return;
    }
    const connection: ProxiedConnection = new ProxiedConnection(
      client,
      this.#backend,
      () => passageOf(this.#fault),
      () => this.#connections.delete(connection),
    );
    this.#connections.add(connection);
  }

  #setFault(fault: HostFault): void {
    this.#fault = fault;
    for (const connection of this.#connections) connection.wake();
    this.#moveDoors();
  }

  #moveDoors(): void {
    if (!this.#isOpen()) {
      for (const listener of this.#listeners) listener.close();
      return;
    }
    this.#doors = this.#doors.catch(() => undefined).then(() => this.#openDoors());
    this.#doors.catch(() => undefined); // the caller that awaits it gets it
  }

  #isOpen(): boolean {
    return isListening(this.#fault) && this.#databaseListens;
  }

  async #openDoors(): Promise<void> {
    for (const listener of this.#listeners) {
      if (!this.#isOpen()) return;
      try {
        await listener.open(this.#port);
      } catch (error) {
        const where = `${listener.address}:${this.#port}`;
        throw new EipPoolError('LAB_UNAVAILABLE', `${this.id} cannot listen on ${where} again: ${messageOf(error)}`);
      }
      if (!this.#isOpen()) listener.close();
    }
  }

  /** The database as tests see it: its calls return when the host has followed. */
  #show(database: Database): LabDatabase {
    const { kind, address, port } = database;
    const settled = async (done: Promise<void>): Promise<void> => {
      await done;
      await this.#doors;
    };
    return {
      kind,
      address,
      port,
      kill: () => settled(database.kill()),
      suspend: () => database.suspend(),
      resume: () => database.resume(),
      restart: () => settled(database.restart()),
      close: () => database.close(),
      query: async <Row>(sql: string): Promise<Row[]> => {
        if (database.query !== undefined) return await database.query<Row>(sql);
        throw new EipPoolError('LAB_UNAVAILABLE', `a database of kind ${kind} runs no query`);
      },
    };
  }
}

/** The host is its own server: what befalls the process befalls the host. */
function echoOf(host: LabHost): Database {
  return {
    kind: 'tcp-echo',
    address: host.address,
    port: host.port,
    kill: () => Promise.resolve(host.kill()),
    suspend: () => Promise.resolve(host.stall()),
    resume: () => host.restore(),
    restart: () => host.restore(),
    close: () => Promise.resolve(host.kill()),
  };
}
