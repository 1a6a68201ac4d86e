import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** A host's door on one of its addresses. */
export class Listener {
  readonly address: string;
  readonly #onClient: (client: Socket, address: string) => void;
  #server: Server | undefined;

  constructor(address: string, onClient: (client: Socket, address: string) => void) {
    this.address = address;
    this.#onClient = onClient;
  }

  /** @returns the port: a free one for port 0 */
  async open(port: number): Promise<number> {
    if (this.#server !== undefined) return portOf(this.#server);
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) =>
      this.#onClient(client, this.address),
    );
    this.#server = server;
    try {
      server.listen({ host: this.address, port });
      await once(server, 'listening');
      server.on('error', () => undefined);
      return portOf(server);
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  /** At once: the kernel refuses the next SYN. Open connections stay. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
