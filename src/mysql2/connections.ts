import type * as mysql from 'mysql2';
import type { ReadFailoverOptions } from '../failover/options.js';
import { readOnlyError } from '../failover/refusal.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { counts, type Driver, isBusy, isClosed, putBack, quit, silence, takeOut } from './internals.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';

export interface ConnectionsSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  /** A lease leads elsewhere than the name from now on. */
  draining(): void;
  /** The last connection on which a statement could run is gone. */
  noneUsable(): void;
  /** There may be room for waiting callers. */
  madeRoom(): void;
}

/** On the connection itself: two look-ups in a map would come with every statement. */
const SOCKET: unique symbol = Symbol('eip-pool.socket');

interface Tracked {
  [SOCKET]?: TrackedSocket | undefined;
}

/** Undefined once the connection is closed. */
export function socketOf(connection: mysql.PoolConnection): TrackedSocket | undefined {
  return (connection as Tracked)[SOCKET];
}

/** What is known of a pool's connections beyond what mysql2 knows: on which of them the next statement can run. */
export class Connections {
  readonly #side: ConnectionsSide;
  readonly #poolSide: PoolSide;
  /** Every connection that is not closed, whoever has it. */
  readonly #alive: Set<mysql.PoolConnection> = new Set();
  /** Connections on which the next statement can run, leased or idle. */
  readonly #usable: Set<mysql.PoolConnection> = new Set();
  /** Leased on an address that was left: not counted, but still their callers'. */
  readonly #draining: Set<mysql.PoolConnection> = new Set();

  constructor(side: ConnectionsSide) {
    this.#side = side;
    const { driver, pool, failover } = side;
    this.#poolSide = {
      driver,
      pool,
      drainMillis: failover.drainMillis,
      silenceMillis: failover.silenceMillis,
      drained: (connection) => this.#drain(connection),
      madeRoom: () => side.madeRoom(),
    };
  }

  get drainingCount(): number {
    return this.#draining.size;
  }

  get anyUsable(): boolean {
    return this.#usable.size > 0;
  }

  /** In their callers' hands; `making` of mysql2's are in nobody's yet. */
  leases(making: number): number {
    const { total, idle } = counts(this.#side.pool);
    return total - idle - making + this.#draining.size;
  }

  add(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    this.#alive.add(connection);
    Object.defineProperty(connection, SOCKET, { value: socket, writable: true });
    // For good: whatever is done with a connection that a failover has ended must not end the process.
    connection.on('error', () => this.#lose(connection));
    connection.once('end', () => this.#lose(connection));
    socket.once('close', () => this.#forget(connection));
    socket.carry(new PooledConnection(this.#poolSide, connection));
  }

  made(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    socket.settle('usable');
    socket.ref();
    this.#usable.add(connection);
  }

  mustPart(connection: mysql.PoolConnection, socket: TrackedSocket): boolean {
    return !socket.isCurrent || (this.#draining.size > 0 && this.#draining.has(connection));
  }

  /** Its lease is over and it must not be leased again. A statement that it still runs is not cut off. */
  part(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    this.#draining.delete(connection);
    takeOut(this.#side.pool, connection);
    const busy = isBusy(connection);
    quit(this.#side.driver, connection);
    if (!busy) socket.expectEnd();
    this.#side.madeRoom();
  }

  /** The statement on it timed out: nobody waits for its reply, and nothing else can be run on it. */
  abandon(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    silence(connection);
    takeOut(this.#side.pool, connection);
    socket.destroy(new Error('the connection still waited for a statement that had timed out'));
    this.#side.madeRoom();
  }

  /** The server there takes no writes any more. What is leased stays its caller's; nobody else gets it. */
  demoted(refused: mysql.PoolConnection, cause: Error): void {
    const service = socketOf(refused)?.service;
    if (service == null) return;
    const { address } = service;
    this.#side.endpoint.report(service, 'read-only', cause);
    for (const connection of [...this.#alive]) {
      const socket = socketOf(connection)!;
      if (socket.state.kind !== 'open' || socket.state.address !== address) continue;
      const leased = socket.connection?.isLeased() === true;
      socket.leave();
      socket.connection?.retire();
      this.#lose(connection);
      if (!leased) socket.farewell(readOnlyError(this.#side.endpoint.name, address));
    }
  }

  /** Before mysql2's `end()`, which says goodbye to these too. */
  putBackDraining(): void {
    putBack(this.#side.pool, this.#draining);
  }

  /** Every goodbye is on its way. */
  expectEnd(): void {
    for (const connection of this.#alive) socketOf(connection)?.expectEnd();
  }

  #drain(connection: mysql.PoolConnection): void {
    this.#draining.add(connection);
    this.#side.draining();
    this.#lose(connection);
  }

  #forget(connection: mysql.PoolConnection): void {
    this.#alive.delete(connection);
    (connection as Tracked)[SOCKET] = undefined;
    this.#draining.delete(connection);
    this.#lose(connection);
    if (isClosed(this.#side.pool)) return;
    takeOut(this.#side.pool, connection);
    this.#side.madeRoom();
  }

  /** The next statement cannot run on it. Without any other, whoever waits now waits for a server, not for his turn. */
  #lose(connection: mysql.PoolConnection): void {
    if (this.#usable.delete(connection) && this.#usable.size === 0) this.#side.noneUsable();
  }
}
