import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, {
  type Agent,
  type AgentOptions,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import https from 'node:https';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Endpoint, follow, type FollowOptions } from '../../src/index.js';

/**
 * One program on an agent of Node's own and on one of an endpoint's: what it sees must be the same. Node's reaches the
 * server by a lookup function of its own; a lookup that never answers is how both are kept connecting.
 */

export const NAME = 'db.example.com';
export const ADDRESS = '127.0.0.2';
const fixture = (name: string): string => readFileSync(new URL(`../pg/fixtures/${name}`, import.meta.url), 'utf8');
const [key, cert] = [fixture('tls.key'), fixture('tls.crt')];

export type Protocol = 'http' | 'https';
/** How the name resolves. */
export type Resolving = 'to the server' | 'never' | Error;

/** What a program may use, the same for both agents. */
export interface World {
  readonly agent: Agent;
  readonly port: number;
  readonly server: Server;
  /** Sends a request without a body, or with one. */
  send(options?: RequestOptions, body?: string): ClientRequest;
}

/** Answers at once; but to `/held` when it is told to, and to `/never` not at all. */
class Server {
  readonly sockets: Set<Socket> = new Set();
  readonly served: string[] = [];
  readonly held: (() => void)[] = [];
  connections = 0;
  mostAtOnce = 0;
  readonly #server: http.Server | https.Server;

  constructor(protocol: Protocol) {
    const answer: http.RequestListener = (request, response) => {
      this.served.push(request.url ?? '');
      if (request.url === '/held') return void this.held.push(() => response.end('held'));
      if (request.url === '/never') return;
      if (request.url === '/half') return void response.write('half');
      if (request.url === '/hint') response.setHeader('Keep-Alive', 'timeout=1');
      let length = 0;
      request.on('data', (chunk: Buffer) => (length += chunk.length));
      request.on('end', () => response.end(`${length} bytes from ${request.socket.remoteAddress}`));
    };
    this.#server = protocol === 'http' ? http.createServer(answer) : https.createServer({ key, cert }, answer);
    this.#server.on('connection', (socket: Socket) => {
      this.connections++;
      this.sockets.add(socket);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.sockets.size);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
    this.#server.on('upgrade', (_request, socket: Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, ADDRESS);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Case {
  readonly agent?: AgentOptions;
  readonly resolving?: Resolving;
  readonly only?: Protocol;
  readonly run: (world: World) => Promise<unknown>;
}

export const bodyOf = async (response: IncomingMessage): Promise<string> =>
  (await response.setEncoding('utf8').toArray()).join('');

/** What comes of a request: its body, or the code of what it failed with. */
export async function resultOf(request: ClientRequest): Promise<string> {
  return await new Promise((resolve) => {
    request.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code ?? error.message}`));
    request.on('response', (response) => {
      response.on('error', (error: NodeJS.ErrnoException) => resolve(`response error ${error.code ?? ''}`));
      bodyOf(response).then(resolve, () => {});
    });
  });
}

/** Everything that a request says until it is closed. */
export async function saidBy(request: ClientRequest): Promise<string[]> {
  const said: string[] = [];
  for (const name of ['socket', 'response', 'timeout', 'abort']) request.on(name, () => said.push(name));
  request.on('error', (error: NodeJS.ErrnoException) => said.push(`error ${error.code} ${error.message}`));
  await new Promise<void>((resolve) => request.on('close', resolve));
  return said;
}

export const closed = async (socket: Socket): Promise<void> => {
  if (!socket.destroyed || !socket.closed) await new Promise((resolve) => socket.once('close', resolve));
};
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

const countOf = (sockets: NodeJS.ReadOnlyDict<readonly unknown[]>): number =>
  Object.values(sockets).reduce((sum, each) => sum + (each?.length ?? 0), 0);

export function countsOf({ agent }: World): Record<'sockets' | 'free' | 'waiting', number> {
  return { sockets: countOf(agent.sockets), free: countOf(agent.freeSockets), waiting: countOf(agent.requests) };
}

/** All the time until its sockets are in the state that is asked for. */
export const settledAt = async (world: World, counts: Partial<ReturnType<typeof countsOf>>): Promise<void> =>
  await until(() => Object.entries(counts).every(([name, count]) => countsOf(world)[name as 'free'] === count));

export function thrownBy(make: () => ClientRequest): unknown {
  try {
    return make().on('error', () => {}).destroyed;
  } catch (error) {
    return [(error as Error).name, (error as NodeJS.ErrnoException).code];
  }
}

export function lookupOf(resolving: Resolving): LookupFunction {
  return (_name, options, callback) => {
    if (resolving === 'never') return;
    if (resolving !== 'to the server') callback(resolving, []);
    else if (options.all === true) callback(null, [{ address: ADDRESS, family: 4 }]);
    else callback(null, ADDRESS, 4);
  };
}

function resolverOf(resolving: Resolving): FollowOptions['resolver'] {
  const resolve = async (): Promise<{ addresses: string[] }> => {
    if (resolving instanceof Error) throw resolving;
    return resolving === 'never' ? await new Promise(() => {}) : { addresses: [ADDRESS] };
  };
  return { name: 'test', keepsTime: true, resolve };
}

/** Declares a test for each case and protocol. */
export function compare(cases: Readonly<Record<string, Case>>): void {
  describe.each(['http', 'https'] as const)(
    'an agent of an endpoint for %s does as Node\u2019s own does:',
    (protocol) => {
      let endpoints: Endpoint[];
      let agents: Agent[];
      let servers: Server[];

      beforeEach(() => {
        [endpoints, agents, servers] = [[], [], []];
      });
      afterEach(async () => {
        for (const agent of agents) agent.destroy();
        for (const endpoint of endpoints) endpoint.close();
        await Promise.all(servers.map((server) => server.close()));
      });

      function stock(options: AgentOptions, resolving: Resolving): Agent {
        const { Agent: Stock } = protocol === 'http' ? http : https;
        return new Stock({ ...options, lookup: lookupOf(resolving) });
      }

      async function own(options: AgentOptions, resolving: Resolving): Promise<Agent> {
        const endpoint = follow(NAME, { resolver: resolverOf(resolving) });
        endpoints.push(endpoint);
        if (resolving === 'to the server') await endpoint.ready();
        return protocol === 'http' ? endpoint.agent('http', options) : endpoint.agent('https', options);
      }

      async function seen(agent: Agent, run: Case['run']): Promise<unknown> {
        agents.push(agent);
        const server = new Server(protocol);
        servers.push(server);
        const port = await server.listen();
        const { request } = protocol === 'http' ? http : https;
        const send: World['send'] = (options, body) => {
          const sent = request({ host: NAME, port, agent, ca: cert, ...options } as RequestOptions);
          return body === undefined ? sent.end() : sent;
        };
        return await run({ agent, port, server, send });
      }

      const suiting = Object.entries(cases).filter(([, { only }]) => only === undefined || only === protocol);
      it.each(suiting)('%s', async (_what, { agent = {}, resolving = 'to the server', run }) => {
        const expected = await seen(stock(agent, resolving), run);
        expect(await seen(await own(agent, resolving), run)).toEqual(expected);
        expect(expected).toBeDefined();
      });
    },
  );
}
