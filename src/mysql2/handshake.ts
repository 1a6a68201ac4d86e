import type * as mysql from 'mysql2';
import { noteOutcome } from '../outcome/outcome.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { beforeLoginFails, type ConnectionSettings } from './internals.js';
import { isServerError, refusalOf } from './server-errors.js';

/** Tells the socket why its connection's log-in failed. That the server can be used is for the adapter to find. */
export function followHandshake(connection: mysql.Connection, socket: TrackedSocket, endpoint: Endpoint): void {
  // mysql2 queues the statements that come before: none has left.
  beforeLoginFails(connection, (error) => noteOutcome(error, 'not-sent'));
  connection.once('connect', () => {
    warnOnce(endpoint, (connection as unknown as { config: ConnectionSettings }).config);
  });
  connection.once('error', (error: Error) => {
    if (socket.state.kind !== 'handshake') return;
    const refusal = refusalOf(error);
    if (refusal.kind === 'not-ready') socket.settle('unusable', refusal.condition, error);
    else if (isServerError(error)) socket.settle('answered');
  });
}

const warned: WeakSet<Endpoint> = new WeakSet();

/** Without `verifyIdentity` mysql2 takes a certificate of any name that the CA signed. */
function warnOnce(endpoint: Endpoint, { ssl }: ConnectionSettings): void {
  if (!ssl || ssl.verifyIdentity !== undefined || ssl.rejectUnauthorized === false || warned.has(endpoint)) return;
  warned.add(endpoint);
  endpoint.warn({
    code: 'NAME_NOT_VERIFIED',
    message:
      `${endpoint.name}: mysql2 does not compare the name with the server's certificate; ` +
      `set ssl.verifyIdentity to true, or to false if that is meant`,
  });
}
