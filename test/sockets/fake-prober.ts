import type { Socket } from 'node:net';
import type { Prober, Reply } from '../../src/sockets/connection.js';
import type { SessionList } from '../../src/sockets/sessions.js';

/** What becomes of a question on the wire. No packet is sent: the socket is told what a network would have told it. */
export type Wire =
  /** Nothing comes back, not even for the connection request. */
  | 'lost'
  /** The connection is made, and nothing is said. */
  | 'silent'
  | 'byte'
  | 'closed'
  /** This side fails, as for want of a password. */
  | 'given up'
  /** The socket fails with this code. */
  | { readonly code: string };

export function answer(socket: Socket, wire: Wire): void {
  if (wire === 'lost') return;
  if (wire === 'given up') return void socket.destroy(new Error('no password'));
  if (typeof wire === 'object') {
    const error = Object.assign(new Error(wire.code), { code: wire.code, syscall: 'connect' });
    return void socket.destroy(error);
  }
  socket.emit('connect');
  if (wire === 'byte') socket.emit('data', Buffer.from('S'));
  if (wire === 'closed') socket.emit('end');
}

/** A way to ask a service that a test has in its hands. */
export class FakeProber implements Prober {
  readonly port: number;
  readonly timeoutMillis: number;
  /** What was asked, and on which sockets. */
  readonly asked: ('question' | 'login' | 'sessions' | 'question apart')[] = [];
  readonly sockets: Socket[] = [];
  wire: (socket: Socket) => Wire;
  reply: () => Promise<Reply> = () => Promise.resolve('usable');
  sessions?: NonNullable<Prober['sessions']>;
  readonly #onAsk: (what: string) => void;

  constructor(port: number, wire: Wire, timeoutMillis: number = 500, onAsk: (what: string) => void = () => {}) {
    this.port = port;
    this.timeoutMillis = timeoutMillis;
    this.wire = () => wire;
    this.#onAsk = onAsk;
  }

  /** From now on the server tells what its sessions do. */
  tells(list: (ids: readonly number[]) => SessionList): void {
    this.sessions = async (socket, ids) => {
      this.#put(socket, 'sessions');
      await new Promise((resolve) => socket.once('question', resolve));
      return list(ids);
    };
  }

  ask(socket: Socket): null {
    this.#put(socket, 'question');
    return null;
  }

  askLeft(socket: Socket): null {
    this.#put(socket, 'question apart');
    return null;
  }

  login(socket: Socket): Promise<Reply> {
    this.#put(socket, 'login');
    return this.reply();
  }

  #put(socket: Socket, what: FakeProber['asked'][number]): void {
    this.asked.push(what);
    this.sockets.push(socket);
    this.#onAsk(what);
    const wire = this.wire(socket);
    // As on any network, nothing comes back in the turn in which it was asked.
    setImmediate(() => answer(socket, wire));
  }
}
