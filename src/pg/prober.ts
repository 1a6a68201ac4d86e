import type { Socket } from 'node:net';
import type pg from 'pg';
import { viewOf } from '../options.js';
import type { Prober, Reply } from '../sockets/connection.js';
import type { Session, SessionList } from '../sockets/sessions.js';
import { type Driver, processIdOf } from './internals.js';
import type { Uptime } from '../sockets/uptime.js';
import { refusalOf } from './server-errors.js';
import { uptimeOf } from './uptime.js';

/** A standby, or a server whose new transactions are read-only. */
export const ROLE = "select pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only";

/**
 * PostgreSQL manual, "Message Formats", SSLRequest: answered with one byte by every server and pooler, whatever it thinks of
 * TLS, before it knows who asks.
 */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** `idle_since` has no value while the session works, and where it does not track what it does. */
const sessionsOf = (ids: readonly number[]): string => `
  select pid::text, (pid = pg_backend_pid())::text as own,
    case when state like 'idle%' then (extract(epoch from state_change) * 1000)::text end as idle_since,
    (extract(epoch from clock_timestamp() - backend_start) * 1000)::bigint::text as age,
    host(client_addr) || ':' || client_port as client,
    concat_ws(' ', pg_postmaster_start_time(), inet_server_addr(), inet_server_port()) as server
  from pg_stat_activity where pid in (${ids.join(', ')})`;

interface SessionRow {
  readonly pid: string;
  readonly own: string;
  readonly idle_since: string | null;
  readonly age: string | null;
  readonly client: string | null;
  readonly server: string;
}

/** Asks one address, with the options of a pool or a client where a login is needed. */
export class PgProber implements Prober {
  readonly port: number;
  readonly timeoutMillis: number;
  readonly #driver: Driver;
  readonly #config: pg.ClientConfig;

  constructor(driver: Driver, port: number, config: pg.ClientConfig, timeoutMillis: number) {
    this.#driver = driver;
    this.port = port;
    this.timeoutMillis = timeoutMillis;
    this.#config = config;
  }

  ask(socket: Socket): null {
    socket.connect(this.port).write(SSL_REQUEST);
    return null;
  }

  askLeft(socket: Socket): null {
    return this.ask(socket);
  }

  async login(socket: Socket): Promise<Reply> {
    try {
      return await this.#loggedIn(socket, async (client) => {
        // A proxy may log in by itself, and answer an empty statement too.
        const { rows } = await client.query<{ read_only: boolean }>(ROLE);
        return rows[0]?.read_only === true ? 'read-only' : 'usable';
      });
    } catch (error) {
      const { code, severity } = error as { code?: unknown; severity?: unknown };
      const refusal = refusalOf(error);
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refusing';
      if (refusal.kind === 'not-ready' && refusal.condition === 'starting') return 'starting';
      // Any word of the server is a sign of life.
      if (typeof severity === 'string') return 'usable';
      throw error;
    }
  }

  async sessions(socket: Socket, ids: readonly number[]): Promise<SessionList> {
    return await this.#loggedIn(socket, async (client) => {
      const own = processIdOf(client);
      const text = sessionsOf([...ids, own ?? 0]);
      const { rows } = await client.query<SessionRow>({ text, types: { getTypeParser: () => String } });
      const sessions = new Map(rows.map((row) => [Number(row.pid), sessionOf(row)]));
      const asking = rows.find((row) => row.own === 'true' && Number(row.pid) === own);
      return {
        server: rows[0]?.server ?? '',
        own: asking === undefined ? null : sessionOf(asking),
        sessions,
        resolutionMillis: 1,
      };
    });
  }

  async uptime(socket: Socket): Promise<Uptime | 'absent' | null> {
    try {
      return await this.#loggedIn(socket, uptimeOf);
    } catch (error) {
      const refusal = refusalOf(error);
      const starting = refusal.kind === 'not-ready' && refusal.condition === 'starting';
      if (starting || (error as { code?: unknown }).code === 'ECONNREFUSED') return 'absent';
      throw error;
    }
  }

  async #loggedIn<T>(socket: Socket, work: (client: pg.Client) => Promise<T>): Promise<T> {
    // How long it may take is ours to say: what the options say is for those who wait for it.
    const own = { stream: () => socket, connectionTimeoutMillis: 0, query_timeout: 0 };
    const client = new this.#driver.Client(viewOf(this.#config, own));
    client.on('error', () => {});
    await client.connect();
    try {
      return await work(client);
    } finally {
      client.end(() => {});
    }
  }
}

function sessionOf({ idle_since: idleSince, age, client }: SessionRow): Session {
  return {
    idleSince: idleSince === null ? null : Number(idleSince),
    ageMillis: age === null ? null : Number(age),
    client,
  };
}
