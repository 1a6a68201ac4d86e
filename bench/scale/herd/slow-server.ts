import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../src/clock.js';
import { TokenBucket } from '../../../src/lab/ec2/token-bucket.js';

export const HELLO: string = 'h';
export const WELCOME: string = 'w';

export interface Figures {
  /** The most log-ins that waited for the server at one time. */
  readonly peak: number;
  readonly done: number;
  /** Log-ins that it did for clients who had left meanwhile. */
  readonly wasted: number;
}

const TICK_MILLIS = 5;
/** As many as a server may take up at once, before its pace counts. */
const BURST = 10;

/**
 * A server whose log-ins take their time: so many a second, in the order in which they came. It learns that a client has
 * left only when its turn has come, as one does that forks and sends its greeting first.
 */
export class SlowServer {
  readonly #server: Server;
  readonly #bucket: TokenBucket;
  readonly #waiting: Socket[] = [];
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #peak = 0;
  #wasted = 0;

  constructor(perSecond: number) {
    this.#bucket = new TokenBucket(systemClock, BURST, perSecond);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#timer = setInterval(() => this.#serve(), TICK_MILLIS);
  }

  async listen(port: number, address: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host: address, backlog: 4_096 }, resolve);
    });
    return (this.#server.address() as { port: number }).port;
  }

  get figures(): Figures {
    return { peak: this.#peak, done: this.#next, wasted: this.#wasted };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    socket.once('data', () => {
      this.#waiting.push(socket);
      this.#peak = Math.max(this.#peak, this.#waiting.length - this.#next);
    });
  }

  #serve(): void {
    while (this.#next < this.#waiting.length && this.#bucket.take()) {
      const socket = this.#waiting[this.#next++]!;
      if (socket.destroyed || socket.readableEnded) this.#wasted++;
      else socket.write(WELCOME);
    }
  }
}
