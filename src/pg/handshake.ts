import type pg from 'pg';
import { ownCopy } from '../errors.js';
import { noteAnswer, noteOutcome } from '../outcome/outcome.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { activeQuery, beforeConnectFails, beforeEnd, failQueuedWith, onServerError } from './internals.js';
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

/** Tells the socket how its login ended, and the outcome table whether an error was a login's or a statement's. */
export function followHandshake(client: pg.ClientBase, socket: TrackedSocket): Handshake {
  const before = handshakes.get(client);
  if (before !== undefined) return before;
  const handshake: Handshake = { socket, deferred: false };
  handshakes.set(client, handshake);
  socket.expectHandshake();
  let loggedIn = false;
  client.once('connect', () => {
    loggedIn = true;
    if (!handshake.deferred) socket.settle('usable');
  });
  beforeEnd(client, (error) => {
    // A password function, a certificate: whatever it is, no statement has left.
    if (!loggedIn) beforeConnectFails(client, (told) => noteOutcome(told, 'not-sent'));
    if (!loggedIn) noteOutcome(error, 'not-sent');
    failQueuedWith(client, unsent);
  });
  onServerError(client, (error) => {
    if (!loggedIn) noteOutcome(error, 'not-sent');
    const query = activeQuery(client);
    if (query !== null) noteAnswer(error, query.text);
    if (socket.state.kind !== 'handshake') return;
    const refusal = refusalOf(error);
    if (refusal.kind === 'refused') socket.settle('answered');
    else if (refusal.condition === 'usable') socket.settle('full');
    else socket.settle('unusable', refusal.condition, error);
  });
  return handshake;
}

function unsent(error: Error): Error {
  const own = ownCopy(error);
  noteOutcome(own, 'not-sent');
  return own;
}
