import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** An HTTP server of the lab on a free port of 127.0.0.1. */
export class LocalHttp {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  static async start(
    answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  ): Promise<LocalHttp> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => answer(request, response, body));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new LocalHttp(server);
  }

  /** At once, with every open connection. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
