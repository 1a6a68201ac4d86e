import type { Socket } from 'node:net';
import type * as mysql from 'mysql2';
import type { Prober, Reply } from '../sockets/connection.js';
import type { Session, SessionList } from '../sockets/sessions.js';
import type { Uptime } from '../sockets/uptime.js';
import { type ConnectionSettings, connectOn, type Driver } from './internals.js';
import { settled } from './leases.js';
import { askRole } from './role.js';
import { isServerError, refusalOf } from './server-errors.js';
import { uptimeOf } from './uptime.js';

/** How long a login may take once it is no longer waited for; mysql2's own default. */
const LOGIN_MILLIS = 10_000;

/** No server has it, and a login without a password is refused in any case. */
const NOBODY = 'eip_pool_liveness';

/** Every server has the table; a user sees at least the sessions that are its own. It tells whole seconds. */
const sessionsOf = (ids: readonly number[]): string => `
  select id, connection_id(), if(command = 'Sleep', unix_timestamp() - time, null), host,
    concat_ws(' ', @@hostname, @@port, @@server_id)
  from information_schema.processlist where id in (${ids.join(', ')})`;
const RESOLUTION_MILLIS = 1_500;

type SessionRow = readonly [
  id: string | number,
  asking: string | number,
  idleSinceSeconds: string | number | null,
  client: string | null,
  server: string,
];

/**
 * Asks one address. The server speaks first, so its greeting is the sign of life; but one that is left with it counts an
 * interrupted login, and a hundred of those in a row block the client's host. So each question is a login to its end.
 */
export class Mysql2Prober implements Prober {
  readonly port: number;
  readonly timeoutMillis: number;
  readonly #driver: Driver;
  readonly #settings: ConnectionSettings;

  constructor(driver: Driver, settings: ConnectionSettings, timeoutMillis: number) {
    this.port = settings.port;
    this.timeoutMillis = timeoutMillis;
    this.#driver = driver;
    this.#settings = settings;
  }

  ask(socket: Socket): Promise<void> {
    return this.#loggedIn(socket, this.#settings, () => Promise.resolve());
  }

  /** A refusal is the end of a login as well. */
  askLeft(socket: Socket): Promise<void> {
    return this.#loggedIn(socket, new this.#driver.ConnectionConfig({ user: NOBODY }), () => Promise.resolve());
  }

  async login(socket: Socket): Promise<Reply> {
    try {
      return await this.#loggedIn(socket, this.#settings, isReadOnly);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refusing';
      // Any word of the server is a sign of life.
      if (isServerError(error)) return refusalOf(error).kind === 'not-ready' ? 'refusing' : 'usable';
      throw error;
    }
  }

  async sessions(socket: Socket, ids: readonly number[]): Promise<SessionList> {
    return await this.#loggedIn(socket, this.#settings, async (connection) => {
      const own = connection.threadId;
      const query = { sql: sessionsOf([...ids, own]), rowsAsArray: true, nestTables: false, typeCast: true };
      const { rows } = await settled((told) => connection.query(query, told));
      const list = rows as readonly SessionRow[];
      const sessions = new Map(list.map((row) => [Number(row[0]), sessionOf(row)]));
      const known = list.some(([id, asking]) => Number(id) === own && Number(asking) === own);
      return {
        server: list[0]?.[4] ?? '',
        own: known ? (sessions.get(own) ?? null) : null,
        sessions,
        resolutionMillis: RESOLUTION_MILLIS,
      };
    });
  }

  async uptime(socket: Socket): Promise<Uptime | 'absent' | null> {
    try {
      return await this.#loggedIn(socket, this.#settings, uptimeOf);
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 'ECONNREFUSED') return 'absent';
      throw error;
    }
  }

  async #loggedIn<T>(
    socket: Socket,
    settings: ConnectionSettings,
    work: (connection: mysql.Connection) => Promise<T>,
  ): Promise<T> {
    const stream = (): Socket => socket.connect(this.port);
    const connection = connectOn(this.#driver, settings, stream, { connectTimeout: LOGIN_MILLIS });
    connection.on('error', () => {});
    try {
      await connected(connection);
      return await work(connection);
    } finally {
      connection.end(() => {});
      socket.end();
    }
  }
}

function connected(connection: mysql.Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** A proxy may log in by itself and answer a ping too, so this is a statement. */
function isReadOnly(connection: mysql.Connection): Promise<Reply> {
  return new Promise((resolve, reject) => {
    askRole(connection, (error, readOnly) =>
      error === null ? resolve(readOnly ? 'read-only' : 'usable') : reject(error),
    );
  });
}

function sessionOf([, , idleSince, client]: SessionRow): Session {
  return { idleSince: idleSince === null ? null : 1_000 * Number(idleSince), ageMillis: null, client };
}
