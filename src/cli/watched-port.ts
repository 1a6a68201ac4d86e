import { systemClock } from '../clock.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

const REDIAL_MILLIS = 20;

/** One TCP connection that is always made again: how a client of that port fares. */
export class WatchedPort {
  readonly #endpoint: Endpoint;
  readonly #port: number;
  #socket: TrackedSocket | undefined;
  #connected = false;
  #lostAt: number;
  #waiting: ((at: number) => void)[] = [];

  constructor(endpoint: Endpoint, port: number) {
    this.#endpoint = endpoint;
    this.#port = port;
    this.#lostAt = systemClock.now();
    this.#dial();
  }

  /** Called when the name has moved: resolves with the first connection from now on. */
  async reached(): Promise<{ readonly connectedAfterMillis: number; readonly unreachableMillis: number }> {
    const asked = systemClock.now();
    // The move has closed the connection, or will; without one open it was lost before.
    const lostAt = this.#connected ? asked : this.#lostAt;
    const at = await new Promise<number>((resolve) => this.#waiting.push(resolve));
    return { connectedAfterMillis: at - asked, unreachableMillis: at - lostAt };
  }

  #dial(): void {
    if (this.#endpoint.state === 'closed') return;
    const socket = this.#endpoint.connect(this.#port);
    this.#socket = socket;
    socket.on('error', () => {}).on('data', () => {});
    socket.once('connect', () => {
      this.#connected = true;
      const at = systemClock.now();
      for (const resolve of this.#waiting.splice(0)) resolve(at);
    });
    socket.once('close', () => {
      if (this.#connected) this.#lostAt = systemClock.now();
      this.#connected = false;
      // The endpoint paces attempts at an address; this is for a name without one.
      if (socket === this.#socket) systemClock.set(() => this.#dial(), REDIAL_MILLIS);
    });
  }
}
