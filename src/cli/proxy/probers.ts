import type { Socket } from 'node:net';
import { EipPoolError } from '../../errors.js';
import type { Driver } from '../../mysql2/internals.js';
import type { Prober } from '../../sockets/connection.js';
import { LOCAL_HEADER } from './header.js';

/** What the proxy knows how to ask a server that is silent. It has no password, and needs none to hear an answer. */
export const PROTOCOLS = ['postgres', 'mysql'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** As an adapter's default: `probeTimeoutMillis`. */
const TIMEOUT_MILLIS = 1_000;

/** Puts the question on a socket that has not been told to dial; what it returns is as in {@link Prober.ask}. */
type Ask = (socket: Socket) => Promise<unknown> | null;

/**
 * @param withHeader the server expects the PROXY protocol on each connection
 * @throws `PEER_MISSING` where MySQL is to be asked without its driver
 */
export async function loadProber(protocol: Protocol, port: number, withHeader: boolean): Promise<Prober> {
  const ask = await (protocol === 'postgres' ? postgresAsk(port, withHeader) : mysqlAsk(port, withHeader));
  return {
    port,
    timeoutMillis: TIMEOUT_MILLIS,
    ask,
    askLeft: ask,
    login: (socket) =>
      new Promise((resolve, reject) => {
        socket.once('data', () => resolve('usable'));
        socket.once('close', () => reject(new Error('closed before a byte came')));
        void ask(socket)?.catch(() => {});
      }),
  };
}

/**
 * PostgreSQL manual, "Message Formats", SSLRequest: answered with one byte by every server and pooler, before it knows who
 * asks.
 */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

async function postgresAsk(port: number, withHeader: boolean): Promise<Ask> {
  const question = withHeader ? Buffer.concat([LOCAL_HEADER, SSL_REQUEST]) : SSL_REQUEST;
  return (socket) => {
    socket.connect(port).write(question);
    return null;
  };
}

/** A greeting that is left unanswered counts as an error of this host: its driver ends the login, and is refused. */
async function mysqlAsk(port: number, withHeader: boolean): Promise<Ask> {
  const { Mysql2Prober, driver } = await loadMysql();
  const prober = new Mysql2Prober(driver, new driver.ConnectionConfig({ port }), TIMEOUT_MILLIS);
  return (socket) => {
    // The server waits for it before it greets.
    if (withHeader) socket.once('connect', () => socket.write(LOCAL_HEADER));
    return prober.askLeft(socket);
  };
}

async function loadMysql(): Promise<{
  readonly Mysql2Prober: typeof import('../../mysql2/prober.js').Mysql2Prober;
  readonly driver: Driver;
}> {
  try {
    const [{ default: driver }, { Mysql2Prober }] = await Promise.all([
      import('mysql2'),
      import('../../mysql2/prober.js'),
    ]);
    return { Mysql2Prober, driver: driver as unknown as Driver };
  } catch (cause) {
    const what = 'the option protocol: mysql asks by the package mysql2: npm install mysql2';
    throw new EipPoolError('PEER_MISSING', what, { cause });
  }
}
