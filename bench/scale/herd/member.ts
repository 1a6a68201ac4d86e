import { connect, type Socket } from 'node:net';
import { systemClock } from '../../../src/clock.js';
import { follow, type Endpoint } from '../../../src/index.js';
import { HELLO } from './slow-server.js';

/** How a process gets its connections back. */
export type Mode =
  /** This library's endpoint with its gate. */
  | 'gate'
  /** Each connection is dialled again at once. */
  | 'none'
  /** The same, and a log-in that takes longer than {@link LOGIN_MILLIS} is given up and dialled again. */
  | 'none, log-ins cut';

export const MODES: readonly Mode[] = ['gate', 'none', 'none, log-ins cut'];
export const LOGIN_MILLIS: number = 2_000;

/** Where a name points, for every process of the herd that runs in this one. */
export interface Name {
  address: string;
}

export interface Place {
  readonly name: Name;
  readonly port: number;
}

const RETRY_MILLIS = 100;

/** One simulated process of the herd with all its connections. */
export class Member {
  /** When its connections came up, counted from the last {@link forget}. */
  ups: number[] = [];
  #closed = false;
  readonly #dial: () => Socket;
  readonly #retryMillis: number;
  readonly #endpoint: Endpoint | null;
  readonly #onUp: () => void;

  constructor(mode: Mode, place: Place, connections: number, onUp: () => void) {
    this.#onUp = onUp;
    this.#endpoint = mode === 'gate' ? followed(place.name) : null;
    this.#retryMillis = mode === 'gate' ? 0 : RETRY_MILLIS;
    this.#dial = this.#endpoint === null ? () => plain(mode, place) : dialler(this.#endpoint, place.port);
    for (let i = 0; i < connections; i++) this.#connect();
  }

  forget(): void {
    this.ups = [];
  }

  close(): void {
    this.#closed = true;
    this.#endpoint?.close();
  }

  #connect(): void {
    const socket = this.#dial();
    let up = false;
    socket.once('connect', () => socket.write(HELLO));
    socket.once('data', () => {
      up = true;
      this.ups.push(systemClock.now());
      this.#onUp();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.#closed) return;
      // One that was up is replaced at once; one that was refused is tried again.
      if (up || this.#retryMillis === 0) this.#connect();
      else setTimeout(() => this.#connect(), this.#retryMillis);
    });
  }
}

/** Its DNS is in this process: a thousand of them on one machine would share one budget of packets. */
function followed(name: Name): Endpoint {
  return follow('herd.example.com', {
    resolver: { name: 'herd', resolve: async () => ({ addresses: [name.address], ttlSeconds: 1 }) },
  });
}

function dialler(endpoint: Endpoint, port: number): () => Socket {
  return () => {
    const socket = endpoint.socket({ persist: () => true });
    socket.expectHandshake();
    socket.once('data', () => socket.settle('usable'));
    return socket.connect(port);
  };
}

function plain(mode: Mode, { name, port }: Place): Socket {
  const socket = connect({ host: name.address, port, noDelay: true, keepAlive: true });
  if (mode === 'none, log-ins cut') {
    const timer = setTimeout(() => socket.destroy(), LOGIN_MILLIS);
    socket.once('data', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
  }
  return socket;
}
