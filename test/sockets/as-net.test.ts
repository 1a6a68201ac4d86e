import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, follow } from '../../src/index.js';

/**
 * One program on a socket of net's own and on a tracked one, neither of which is connected yet: what it sees must be the
 * same. net's is kept waiting by a lookup that the program answers.
 */
const ADDRESS = '127.0.0.2';
const REFUSING = '127.0.0.9';
let server: net.Server;
let port: number;
let received: string[];
const peers = new Set<Socket>();

beforeAll(async () => {
  server = net.createServer((peer) => {
    peers.add(peer);
    const at = received.push('') - 1;
    peer.on('data', (chunk) => (received[at] += chunk.toString()));
    peer.on('error', () => {}).on('close', () => peers.delete(peer));
  });
  server.listen(0, ADDRESS);
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

/** A socket, and the way to connect it. */
interface Subject {
  readonly socket: Socket;
  connect(): Socket;
  /** Lets the lookup come to this address. */
  resolve(address?: string): void;
}

let endpoints: Endpoint[] = [];
afterEach(() => {
  for (const endpoint of endpoints) endpoint.close();
  for (const peer of peers) peer.destroy();
  endpoints = [];
});

function ofNet(): Subject {
  const socket = new net.Socket();
  const answers: ((address: string) => void)[] = [];
  let answer: string | null = null;
  const lookup: net.LookupFunction = (_name, _options, callback) => {
    const reply = (address: string): void => process.nextTick(() => callback(null, address, 4));
    if (answer === null) answers.push(reply);
    else reply(answer);
  };
  return {
    socket,
    connect: () => socket.connect({ host: 'db.example.com', port, lookup, autoSelectFamily: false }),
    resolve: (address = ADDRESS) => {
      answer = address;
      for (const reply of answers.splice(0)) reply(address);
    },
  };
}

function ofEndpoint(): Subject {
  let resolve: (address: string) => void = () => {};
  const answered = new Promise<string>((resolved) => (resolve = resolved));
  const endpoint = follow('db.example.com', {
    resolver: { name: 'test', keepsTime: true, resolve: async () => ({ addresses: [await answered] }) },
  });
  endpoints.push(endpoint);
  const socket = endpoint.socket({ persist: () => false });
  return { socket, connect: () => socket.connect(port), resolve: (address = ADDRESS) => resolve(address) };
}

/** What a socket says, in order. */
function saidBy(socket: Socket): string[] {
  const said: string[] = [];
  for (const name of ['connect', 'ready', 'drain', 'finish', 'timeout', 'close'])
    socket.on(name, () => said.push(name));
  socket.on('error', (error: NodeJS.ErrnoException) => said.push(`error ${error.code}`));
  return said;
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return 'nothing';
  } catch (error) {
    return [(error as Error).name, (error as NodeJS.ErrnoException).code];
  }
}

const closed = async (socket: Socket): Promise<unknown> =>
  await new Promise((resolve) => socket.once('close', resolve));
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

type Program = (subject: Subject) => Promise<unknown>;
const PROGRAMS: Record<string, Program> = {
  'writes what is no text and no bytes': async ({ socket, connect, resolve }) => {
    connect();
    const said = saidBy(socket);
    const thrown = [5, null, undefined, {}, [], true, Symbol('x')].map((chunk) =>
      thrownBy(() => socket.write(chunk as never)),
    );
    const encoding = thrownBy(() => socket.write('x', 'no-such' as never));
    resolve();
    await once(socket, 'connect');
    socket.destroy();
    await closed(socket);
    return [thrown, encoding, said];
  },
  'ends with what is no text and no bytes': async ({ socket, connect, resolve }) => {
    connect();
    const thrown = [5, {}].map((chunk) => thrownBy(() => socket.end(chunk as never)));
    resolve();
    await once(socket, 'connect');
    socket.destroy();
    return thrown;
  },
  'writes after its end': async ({ socket, connect, resolve }) => {
    connect();
    const said = saidBy(socket);
    socket.end('last');
    const told = await new Promise<NodeJS.ErrnoException>((resolved) => {
      socket.write('more', (error) => resolved(error as NodeJS.ErrnoException));
    });
    resolve();
    await turns();
    return [told.code, said.filter((name) => name !== 'finish'), socket.destroyed];
  },
  'is destroyed while it waits, with writes that are never made': async ({ socket, connect }) => {
    connect();
    const said = saidBy(socket);
    const told = new Promise<boolean>((resolved) => socket.write('x', (error) => resolved(error instanceof Error)));
    socket.destroy();
    const destroyed = [socket.destroyed, socket.writable, socket.connecting];
    await closed(socket);
    return [await told, said, destroyed];
  },
  'is destroyed with an error while it waits': async ({ socket, connect }) => {
    connect();
    const said = saidBy(socket);
    socket.destroy(Object.assign(new Error('given up'), { code: 'GIVEN_UP' }));
    await closed(socket);
    return said;
  },
  'connects after it was destroyed, before it had ever been connected': async ({ socket, connect, resolve }) => {
    const said = saidBy(socket);
    resolve();
    socket.destroy();
    await closed(socket);
    connect();
    const state = [socket.destroyed, socket.connecting];
    await once(socket, 'connect');
    socket.end('second life');
    await closed(socket);
    return [said.filter((name) => name !== 'finish'), state, received.filter((text) => text !== '')];
  },
  'connects again after its connection has ended': async ({ socket, connect, resolve }) => {
    const said = saidBy(socket);
    resolve();
    for (let life = 0; life < 2; life++) {
      connect();
      await once(socket, 'connect');
      socket.write(`life ${life}`);
      socket.destroySoon();
      await closed(socket);
    }
    await turns();
    return [said.filter((name) => name !== 'finish'), received.filter((text) => text !== '')];
  },
  'connects again after it was refused': async ({ socket, connect, resolve }) => {
    const said = saidBy(socket);
    connect();
    resolve(REFUSING);
    await closed(socket);
    connect();
    await closed(socket);
    return said;
  },
  'has a timeout while it waits': async ({ socket, connect }) => {
    socket.setTimeout(20);
    connect();
    const said = saidBy(socket);
    await once(socket, 'timeout');
    const state = [socket.timeout, socket.connecting, socket.destroyed];
    socket.destroy();
    await closed(socket);
    return [said, state];
  },
  'has a timeout that it was given while it waits, and that goes on afterwards': async ({
    socket,
    connect,
    resolve,
  }) => {
    connect();
    const calls: string[] = [];
    socket.setTimeout(20, () => calls.push('callback'));
    await once(socket, 'timeout');
    resolve();
    await once(socket, 'connect');
    await once(socket, 'timeout');
    socket.destroy();
    return [calls, socket.timeout];
  },
  'has a timeout that is no number': async ({ socket, connect, resolve }) => {
    connect();
    const thrown = ['x', -1, NaN, Infinity].map((millis) => thrownBy(() => socket.setTimeout(millis as never)));
    // It comes to nothing later, either.
    resolve();
    await once(socket, 'connect');
    socket.destroy();
    return thrown;
  },
  'is to be destroyed soon, after what it writes': async ({ socket, connect, resolve }) => {
    connect();
    const said = saidBy(socket);
    socket.write('hello');
    socket.destroySoon();
    resolve();
    await closed(socket);
    await turns();
    return [said, received];
  },
  'is to be reset': async ({ socket, connect, resolve }) => {
    connect();
    const said = saidBy(socket);
    socket.resetAndDestroy();
    resolve();
    await closed(socket);
    return said;
  },
  'writes a lot, and waits to be told to go on': async ({ socket, connect, resolve }) => {
    connect();
    const kept = [socket.write('x'), socket.write('y'.repeat(100_000))];
    const drained = once(socket, 'drain');
    resolve();
    await drained;
    socket.end();
    await closed(socket);
    return [kept, received.map((text) => text.length)];
  },
  'is told to connect to a port that is none': async ({ socket }) => [
    thrownBy(() => socket.connect(99_999)),
    thrownBy(() => socket.connect(Number('x'))),
    thrownBy(() => socket.connect({ port: 5432, localAddress: 'here' } as never)),
    thrownBy(() => socket.connect({} as never)),
  ],
};

describe('a tracked socket does as that of net does when it', () => {
  it.each(Object.entries(PROGRAMS))('%s', async (_what, program) => {
    received = [];
    const expected = await program(ofNet());
    received = [];
    expect(await program(ofEndpoint())).toEqual(expected);
    expect(expected).toBeDefined();
  });
});

describe('a tracked socket that connects again in the turn in which it was destroyed, where net\u2019s loses its way,', () => {
  it('ends one life before it begins the next', async () => {
    const { socket, connect, resolve } = ofEndpoint();
    const said = saidBy(socket);
    connect();
    socket.destroy();
    connect();
    resolve();
    await once(socket, 'connect');
    socket.destroy();
    await closed(socket);
    expect(said).toEqual(['close', 'connect', 'ready', 'close']);
  });

  it('keeps what is written for its new connection', async () => {
    received = [];
    const { socket, connect, resolve } = ofEndpoint();
    resolve();
    connect();
    await once(socket, 'connect');
    socket.destroy();
    connect();
    socket.end('kept');
    await once(socket, 'connect');
    await closed(socket);
    expect(received.at(-1)).toBe('kept');
  });
});
