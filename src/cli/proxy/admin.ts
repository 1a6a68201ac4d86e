import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../../errors.js';
import type { Metrics } from './metrics.js';
import { type Listen, placeText } from './places.js';
import type { Route } from './route.js';

type Place = Extract<Listen, { kind: 'tcp' }>;

/** What the admin address tells of. */
export interface Administered {
  readonly routes: readonly Route[];
  readonly metrics: Metrics;
  /** Whether the proxy was told to end. */
  isDraining(): boolean;
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Health, readiness and metrics by HTTP. It tells names and numbers, and changes nothing. */
export class Admin {
  readonly #server: Server;
  readonly #administered: Administered;

  constructor(administered: Administered) {
    this.#administered = administered;
    this.#server = createServer((request, response) => {
      void this.#reply(request.method ?? '', request.url ?? '').then((reply) => send(response, reply));
    });
  }

  /**
   * Returns where it listens, with the port that it got.
   * @throws an error that says why nobody can listen there
   */
  async open(place: Place): Promise<Place> {
    try {
      this.#server.listen({ host: place.host, port: place.port });
      await once(this.#server, 'listening');
    } catch (error) {
      throw new Error(`--admin: cannot listen on ${placeText(place)}: ${messageOf(error)}`, { cause: error });
    }
    this.#server.on('error', () => {});
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? { ...place, port: bound.port } : place;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #reply(method: string, url: string): Promise<Reply> {
    const [path] = url.split('?');
    const known = path === '/health' || path === '/ready' || path === '/metrics';
    if (!known) return text(404, 'not found: /health, /ready and /metrics are\n');
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET\n');
    try {
      if (path === '/metrics') return await this.#metrics();
      return path === '/ready' ? await this.#ready() : this.#health();
    } catch (error) {
      return text(500, `${messageOf(error)}\n`);
    }
  }

  async #metrics(): Promise<Reply> {
    const { contentType, text } = this.#administered.metrics;
    return { status: 200, type: contentType, body: await text() };
  }

  /** Whether the process does its work; a server that is down is no reason to start it anew. */
  #health(): Reply {
    return json(200, { ok: true, draining: this.#administered.isDraining(), routes: this.#routes().map(describe) });
  }

  /** Whether a new client would get a server, on every route. */
  async #ready(): Promise<Reply> {
    const draining = this.#administered.isDraining();
    const routes = await Promise.all(
      this.#routes().map(async (route) => ({ ready: await route.isReady(), ...describe(route) })),
    );
    const ready = !draining && routes.every(({ ready }) => ready);
    return json(ready ? 200 : 503, { ready, draining, routes });
  }

  #routes(): readonly Route[] {
    return this.#administered.routes;
  }
}

function describe({ listening, settings: { target }, endpoint, clients }: Route): object {
  const { state, addresses } = endpoint.snapshot();
  return { listen: placeText(listening), to: `${target.name}:${target.port}`, state, addresses, ...clients };
}

function json(status: number, value: object): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function send(response: ServerResponse, { status, type, body }: Reply): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
