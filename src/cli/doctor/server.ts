import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import { systemClock } from '../../clock.js';
import { type Address, withPort } from '../../endpoint/address.js';
import { messageOf } from '../../errors.js';
import { login, mysqlTls } from '../login.js';
import { duration } from '../output.js';
import { within } from '../within.js';
import { type Finding, finding } from './finding.js';
import { keepaliveSeconds } from './keepalive.js';

const CONNECT_MILLIS = 1_000;
const LOGIN_MILLIS = 1_400;
/** What this library's sockets have. */
const KEEPALIVE_MILLIS = 5_000;
/** PostgreSQL, protocol 3.0, "SSLRequest". */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** The server itself: TCP, keepalive, TLS, login, role. */
export async function serverChecks(address: Address, port: number, url: URL | undefined): Promise<Finding[]> {
  const began = systemClock.now();
  const where = withPort(address, port);
  const mysql = url?.protocol === 'mysql:';
  // MySQL counts bare connections, and blocks the client's host after a hundred: there the login is the connect.
  if (mysql) {
    const skipped = finding('connect', 'skip', 'MySQL counts bare connections; see the login');
    return [skipped, await mysqlTlsCheck(url, address), await loginCheck(url, address)];
  }
  const socket = connectTcp({ host: address, port, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MILLIS });
  socket.on('error', () => {});
  try {
    await within(CONNECT_MILLIS, where, once(socket, 'connect'));
  } catch (error) {
    socket.destroy();
    const advice = 'is the server up, does it listen on that address, does its security group let this process in?';
    return [finding('connect', 'fail', `${where}: ${messageOf(error)}`, advice)];
  }
  const connected = finding('connect', 'ok', `${where} in ${duration(systemClock.now() - began)}`);
  try {
    const [keepalive, tls, entry] = await Promise.all([
      keepaliveCheck(socket),
      url === undefined ? [] : tlsCheck(address, port, url).then((each) => [each]),
      url === undefined ? [] : loginCheck(url, address).then((each) => [each]),
    ]);
    return [connected, keepalive, ...tls, ...entry];
  } finally {
    socket.destroy();
  }
}

async function keepaliveCheck(socket: Socket): Promise<Finding> {
  const seconds = await keepaliveSeconds(socket);
  if (seconds === undefined) return finding('keepalive', 'skip', 'this system does not show the timers of its sockets');
  if (seconds !== null && seconds * 1_000 <= KEEPALIVE_MILLIS) {
    return finding('keepalive', 'ok', `in force: the kernel looks after an idle connection in ${seconds} s`);
  }
  const said = seconds === null ? 'the kernel has no keepalive timer' : `the kernel waits for ${seconds} s`;
  return finding('keepalive', 'warn', `not in force: ${said}`, 'a dead host is found only by a write');
}

async function tlsCheck(address: Address, port: number, url: URL): Promise<Finding> {
  const advice = 'the certificate must carry the name that applications connect to, and a CA that they trust';
  const socket = connectTcp({ host: address, port });
  socket.on('error', () => {});
  try {
    return await within(CONNECT_MILLIS, 'TLS', tlsName(socket, url.hostname));
  } catch (error) {
    return finding('tls', 'warn', messageOf(error), advice);
  } finally {
    socket.destroy();
  }
}

async function mysqlTlsCheck(url: URL, address: Address): Promise<Finding> {
  try {
    const tls = await within(LOGIN_MILLIS, 'TLS', mysqlTls(url, address));
    if (tls === null) return noTls();
    const judged = judge(tls.socket, url.hostname);
    await tls.end();
    return judged;
  } catch (error) {
    return finding('tls', 'skip', `not found out: ${messageOf(error)}`);
  }
}

async function tlsName(socket: Socket, host: string): Promise<Finding> {
  socket.write(SSL_REQUEST);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  if (reply[0] !== 'S'.charCodeAt(0)) return noTls();
  const secure = connectTls({ socket, servername: host, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  return judge(secure, host);
}

function noTls(): Finding {
  return finding('tls', 'warn', 'the server offers no TLS', 'passwords and data cross the VPC in clear');
}

function judge(secure: TLSSocket, host: string): Finding {
  const mismatch = checkServerIdentity(host, secure.getPeerCertificate());
  if (mismatch !== undefined) return finding('tls', 'warn', `the certificate is not for ${host}: ${mismatch.message}`);
  if (secure.authorized) return finding('tls', 'ok', `the certificate is for ${host}`);
  const why = String(secure.authorizationError);
  return finding('tls', 'warn', `the certificate is for ${host}, but not trusted: ${why}`);
}

async function loginCheck(url: URL, address: Address): Promise<Finding> {
  const began = systemClock.now();
  try {
    const { role } = await within(LOGIN_MILLIS, 'the server', login(url, address));
    const text = `logged in in ${duration(systemClock.now() - began)}; the server is ${role}`;
    if (role === 'writable') return finding('login', 'ok', text);
    return finding('login', 'warn', text, 'it takes no writes: a standby? Is the Elastic IP on the right server?');
  } catch (error) {
    return finding('login', 'fail', messageOf(error), 'check the user, the password, the database and pg_hba.conf');
  }
}
