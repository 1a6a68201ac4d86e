import { readFileSync } from 'node:fs';
import { type Agent, createServer, get, type RequestListener } from 'node:http';
import { createServer as createSecureServer, get as secureGet } from 'node:https';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Agent as UndiciAgent, request } from 'undici';
import { inProcess, type Recipe, useServers } from './support.js';

const fixture = (name: string): string => readFileSync(new URL(`../pg/fixtures/${name}`, import.meta.url), 'utf8');
const key = fixture('tls.key');
/** Valid for db.example.com and for nothing else, least of all for an address. */
const cert = fixture('tls.crt');

/** Answers with its number; `/slow` after a while, `/never` not at all. */
const answer =
  (index: number): RequestListener =>
  ({ url }, response) => {
    if (url === '/slow') setTimeout(() => response.end(String(index)), 700);
    else if (url !== '/never') response.end(String(index));
  };
const plain = inProcess((index) => createServer(answer(index)));
const secure = inProcess((index) => createSecureServer({ key, cert }, answer(index)));

interface Answered {
  readonly body: string;
  readonly reused: boolean;
}

function fetchWith(protocol: 'http' | 'https', recipe: Recipe, agent: Agent) {
  return async (path = '/'): Promise<Answered> =>
    await new Promise((resolve, reject) => {
      const options = { host: recipe.lab.name, port: recipe.lab.port, path, agent, ca: cert };
      const sent = (protocol === 'http' ? get : secureGet)(options, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ body, reused: sent.reusedSocket }));
      });
      sent.on('error', reject);
    });
}

describe.each([
  ['http', plain],
  ['https', secure],
] as const)('endpoint.agent() for %s', (protocol, servers) => {
  const recipe = useServers(servers);
  const makeAgent = (drainMillis?: number): Agent =>
    protocol === 'http'
      ? recipe.endpoint.agent('http', { keepAlive: true, drainMillis })
      : recipe.endpoint.agent('https', { keepAlive: true, drainMillis });

  it('reuses its sockets, and sends nothing on one whose address the name has left', async () => {
    const agent = makeAgent();
    const fetch = fetchWith(protocol, recipe, agent);
    expect(await fetch()).toEqual({ body: '0', reused: false });
    expect(await fetch()).toEqual({ body: '0', reused: true });
    await recipe.move(1);
    expect(await fetch()).toEqual({ body: '1', reused: false });
    await expect.poll(() => recipe.lab.hosts[0]!.connections).toBe(0);
    agent.destroy();
  });

  it('lets a request finish on the old address, and does not keep its socket', async () => {
    const agent = makeAgent();
    const fetch = fetchWith(protocol, recipe, agent);
    const slow = fetch('/slow');
    await expect.poll(() => recipe.lab.hosts[0]!.connections).toBe(1);
    await recipe.move(1);
    expect(await fetch()).toMatchObject({ body: '1' });
    expect(await slow).toMatchObject({ body: '0' });
    await expect.poll(() => recipe.lab.hosts[0]!.connections).toBe(0);
    agent.destroy();
  });

  it('cuts it when drainMillis ends, and tells a request that finds no server', async () => {
    const agent = makeAgent(50);
    const fetch = fetchWith(protocol, recipe, agent);
    const stuck = fetch('/never').catch((error: { code: string }) => error.code);
    await expect.poll(() => recipe.lab.hosts[0]!.connections).toBe(1);
    await recipe.move(1);
    expect(await stuck).toMatch(/ADDRESS_LEFT|ECONNRESET/);
    recipe.lab.hosts[1]!.refuse();
    await expect(fetch()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });
});

describe.each([
  ['http', plain],
  ['https', secure],
] as const)('undici on %s', (protocol, servers) => {
  const recipe = useServers(servers);

  it('follows the name with a connect function', async () => {
    const { endpoint, lab } = recipe;
    const dispatcher = new UndiciAgent({
      connect: ({ hostname, port, protocol: scheme }, callback) => {
        const raw = endpoint.connect(Number(port));
        const socket = scheme === 'https:' ? tls.connect({ socket: raw, servername: hostname, ca: cert }) : raw;
        socket.once(scheme === 'https:' ? 'secureConnect' : 'connect', () => callback(null, socket));
        socket.once('error', (error: Error) => callback(error, null));
      },
    });
    const fetch = async (): Promise<string> => {
      const { body } = await request(`${protocol}://${lab.name}:${lab.port}/`, { dispatcher });
      return await body.text();
    };
    expect([await fetch(), await fetch()]).toEqual(['0', '0']);
    await recipe.move(1);
    // undici hears of the end of a socket one turn later; a request of the same turn would fail with ADDRESS_LEFT.
    await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
    expect(await fetch()).toBe('1');
    await dispatcher.destroy();
  });
});
