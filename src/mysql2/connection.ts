import type * as mysql from 'mysql2';
import { inCallersContext, inNobodysContext } from '../async-context.js';
import {
  type Defaults,
  failoverOf,
  readFailoverOptions,
  type ReadFailoverOptions,
  routeOf,
} from '../failover/options.js';
import type { Connection } from '../sockets/connection.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { followHandshake } from './handshake.js';
import {
  bindCommands,
  type ConnectionSettings,
  type Driver,
  hasSaidGoodbye,
  isWaiting,
  quit,
  threadIdOf,
} from './internals.js';
import { type ConnectionOptions, splitOptions } from './options.js';
import { ping } from './pooled-connection.js';
import { Mysql2Prober } from './prober.js';
import { Statements } from './statements.js';
import { streamFactory } from './stream.js';

/** What could move: nothing for the path of a Unix socket. */
export function hostOf({ host, socketPath }: ConnectionSettings): string {
  return socketPath ? '' : host;
}

/**
 * mysql2's connection on a socket that follows its name. A single connection cannot be connected a second time: when the
 * name leaves its address, it may finish its work for `drainMillis`, then it ends with an error event.
 */
export function connect(driver: Driver, given: string | ConnectionOptions, defaults: Defaults): mysql.Connection {
  // What comes on its socket is nobody's, whoever makes it.
  const connection = inNobodysContext(() => connectAnywhere(driver, given, defaults));
  bindCommands(connection);
  const { connect: stock } = connection;
  connection.connect = (told) => stock.call(connection, inCallersContext(told));
  return connection;
}

function connectAnywhere(driver: Driver, given: string | ConnectionOptions, defaults: Defaults): mysql.Connection {
  const { ours, theirs } = splitOptions<mysql.ConnectionOptions>(given);
  // Ours first: what is wrong in them is told before what is wrong in the driver's.
  readFailoverOptions(ours.failover);
  const settings = new driver.ConnectionConfig(theirs);
  const host = hostOf(settings);
  const failover = failoverOf(ours, host, defaults);
  const route = routeOf({ ...ours, stream: settings.stream }, host, defaults);
  if (route === null) return new driver.Connection({ config: settings });
  let socket: TrackedSocket | null = null;
  const stream = streamFactory(route.endpoint, {
    persist: () => false,
    made: (made) => (socket = made),
    unbounded: false,
  });
  settings.stream = stream;
  const connection = new driver.Connection({ config: settings });
  const made = socket as TrackedSocket | null;
  if (made === null) return connection;
  followHandshake(connection, made, route.endpoint);
  connection.once('connect', () => made.settle('usable'));
  const { clock } = route.endpoint;
  const statements = new Statements<mysql.Connection>({ clock, asking() {}, readOnly() {}, release() {} });
  statements.watch(connection, made);
  made.carry(new HeldConnection(driver, connection, failover));
  const prober = new Mysql2Prober(driver, settings, failover.probeTimeoutMillis);
  const unregister = route.endpoint.register(prober);
  made.once('close', () => {
    unregister();
    if (route.owned) route.endpoint.close();
  });
  return connection;
}

/** A connection outside of any pool is in its caller's hands for as long as it lives. */
class HeldConnection implements Connection {
  readonly #driver: Driver;
  readonly #connection: mysql.Connection;
  readonly drainMillis: number;
  readonly silenceMillis: number;

  constructor(driver: Driver, connection: mysql.Connection, { drainMillis, silenceMillis }: ReadFailoverOptions) {
    this.#driver = driver;
    this.#connection = connection;
    this.drainMillis = drainMillis;
    this.silenceMillis = silenceMillis;
  }

  isLeased(): boolean {
    return true;
  }

  get sessionId(): number | null {
    return threadIdOf(this.#connection);
  }

  isWaiting(): boolean {
    return isWaiting(this.#connection);
  }

  retire(): void {}

  goodbye(): void {
    quit(this.#driver, this.#connection);
  }

  hasSaidGoodbye(): boolean {
    return hasSaidGoodbye(this.#connection);
  }

  ping(): Promise<void> {
    return ping(this.#connection);
  }
}
