import http from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inCallersContext, inNobodysContext, internally, Surroundings } from '../src/async-context.js';
import { systemClock } from '../src/clock.js';
import { createPool } from '../src/generic-pool/index.js';
import { follow } from '../src/index.js';
import { heard, request, requestOf } from './context-support.js';

const a = requestOf('A');
const b = requestOf('B');
let server: Server;
let port: number;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', (data) => socket.write(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

describe('a callback', () => {
  it('runs in the context in which it was given, with what it is called with', () => {
    const seen: unknown[] = [];
    const callback = function (this: unknown, ...args: unknown[]): string {
      seen.push(request.getStore(), this, args);
      return 'done';
    };
    const given = b(() => inCallersContext(callback));
    const target = { given };
    expect(a(() => target.given(1, undefined))).toBe('done');
    expect(seen).toEqual(['B', target, [1, undefined]]);
  });

  it('is as it is where a driver gives it, or where it is none', () => {
    const callback = (): void => {};
    expect(internally(() => inCallersContext(callback))).toBe(callback);
    expect(inCallersContext(undefined)).toBeUndefined();
  });

  it('of a driver’s gives its own as a driver; what it calls of a caller’s gives as a caller', () => {
    const inner = (): void => {};
    const plain: boolean[] = [];
    const callers = inCallersContext(() => plain.push(inCallersContext(inner) === inner));
    internally(() => {
      plain.push(inCallersContext(inner) === inner);
      callers();
      plain.push(inCallersContext(inner) === inner);
    });
    plain.push(inCallersContext(inner) === inner);
    expect(plain).toEqual([true, false, true, false]);
  });
});

describe('what nobody’s context runs', () => {
  it('is in no request and inside of no transaction', async () => {
    const surroundings = new Surroundings<object>();
    const scope = {};
    await a(() =>
      surroundings.within(scope, async () => {
        expect([request.getStore(), surroundings.scope]).toEqual(['A', scope]);
        inNobodysContext(() => expect([request.getStore(), surroundings.scope]).toEqual([undefined, null]));
        const timer = await new Promise((resolve) => {
          systemClock.set(() => resolve([request.getStore(), surroundings.scope]), 1);
        });
        expect(timer).toEqual([undefined, null]);
      }),
    );
  });

  it('is what an endpoint’s resolver and listeners are called in, whoever asks', async () => {
    const asked: unknown[] = [];
    let address = '127.0.0.1';
    const resolver = {
      name: 'own',
      resolve: async () => (asked.push(request.getStore()), { addresses: [address] }),
    };
    const endpoint = a(() => follow('db.example.com', { resolver, quarantineMillis: 0 }));
    const events = heard(endpoint, ['move', 'answer', 'state']);
    await endpoint.refresh();
    address = '127.0.0.2';
    await b(() => endpoint.refresh());
    expect(new Set(asked)).toEqual(new Set([undefined]));
    expect(events.get('move')).toEqual(new Set([undefined]));
    endpoint.close();
  });

  it('is what generic-pool’s factory is called in, whoever acquires', async () => {
    const seen = new Set<unknown>();
    const note = async (): Promise<object> => (seen.add(request.getStore()), {});
    for (const options of [{}, { host: 'db.example.com', port, follow: { resolver: { address: '127.0.0.1' } } }]) {
      const validate = async (): Promise<boolean> => (await note(), true);
      const pool = createPool({ create: note, destroy: note, validate }, { max: 1, testOnBorrow: true, ...options });
      const resource = await a(() => pool.acquire());
      const waits = b(async () => [await pool.acquire(), request.getStore()]);
      await a(() => pool.release(resource));
      expect(await waits).toEqual([resource, 'B']);
      await b(() => pool.release(resource));
      await a(() => pool.drain());
      await b(() => pool.clear());
    }
    expect(seen).toEqual(new Set([undefined]));
  });
});

describe('a socket of an endpoint', () => {
  it('tells in the request of whoever made it, inside of no transaction, also what somebody else does to it', async () => {
    const surroundings = new Surroundings<object>();
    const endpoint = follow('db.example.com', { resolver: { address: '127.0.0.1' } });
    await endpoint.ready();
    const seen: unknown[] = [];
    const note = (): void => void seen.push([request.getStore(), surroundings.scope]);
    const socket = await a(() => surroundings.within({}, async () => endpoint.connect(port)));
    const closed = new Promise<void>((resolve) => {
      socket.on('connect', note).on('data', note).on('error', note);
      socket.on('close', () => (note(), resolve()));
    });
    const echoed = new Promise((resolve) => socket.once('data', resolve));
    b(() => socket.write('hello'));
    await echoed;
    b(() => socket.destroy(new Error('by another one')));
    await closed;
    expect(seen).toEqual(Array(4).fill(['A', null]));
    endpoint.close();
  });

  it('answers a request over its agent in the request that asked, with the first one and a later one', async () => {
    const answering = http.createServer((_, response) => response.end('ok'));
    await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
    const endpoint = follow('db.example.com', { resolver: { address: '127.0.0.1' } });
    const agent = endpoint.agent('http', { keepAlive: true, maxSockets: 1 });
    const { port: answers } = answering.address() as AddressInfo;
    const ask = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const options = { host: 'db.example.com', port: answers, agent };
        http
          .get(options, (response) => response.resume().on('end', () => resolve(request.getStore())))
          .on('error', reject);
      });
    expect(await a(ask)).toBe('A');
    expect(await b(ask)).toBe('B');
    agent.destroy();
    answering.close();
    endpoint.close();
  });
});

it('a scope that has ended is around nothing, and the one around it still is', async () => {
  const surroundings = new Surroundings<{ name: string }>();
  const other = new Surroundings<object>();
  const outer = { name: 'outer' };
  let left: Promise<unknown> | undefined;
  await surroundings.within(outer, async () => {
    await surroundings.within({ name: 'inner' }, async () => {
      left = new Promise(setImmediate).then(() => [surroundings.scope, other.scope]);
    });
    expect(await left).toEqual([outer, null]);
    left = new Promise(setImmediate).then(() => surroundings.scope);
  });
  expect(await left).toBeNull();
});
