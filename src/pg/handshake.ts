import type pg from 'pg';
import { noteStatement } from '../outcome/outcome.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { activeStatement, onServerError } from './internals.js';
import { refusalOf } from './server-errors.js';

export interface Handshake {
  readonly socket: TrackedSocket;
  /** The log-in alone does not make the connection usable: whoever sets this settles the socket. */
  deferred: boolean;
}

const handshakes: WeakMap<pg.ClientBase, Handshake> = new WeakMap();

/** The socket under a client, also once TLS is on it, or the client has ended; none for a client that follows no name. */
export function socketOf(client: pg.ClientBase): TrackedSocket | undefined {
  return handshakes.get(client)?.socket;
}

/** Tells the socket how its log-in ended, and the outcome table which statement an error was the answer to. */
export function followHandshake(client: pg.ClientBase, socket: TrackedSocket): Handshake {
  const before = handshakes.get(client);
  if (before !== undefined) return before;
  const handshake: Handshake = { socket, deferred: false };
  handshakes.set(client, handshake);
  socket.expectHandshake();
  client.once('connect', () => {
    if (!handshake.deferred) socket.settle('usable');
  });
  onServerError(client, (error) => {
    const statement = activeStatement(client);
    if (statement !== undefined) noteStatement(error, statement);
    if (socket.state.kind !== 'handshake') return;
    const refusal = refusalOf(error);
    if (refusal.kind === 'refused') socket.settle('answered');
    else if (refusal.condition === 'usable') socket.settle('full');
    else socket.settle('unusable', refusal.condition, error);
  });
  return handshake;
}
