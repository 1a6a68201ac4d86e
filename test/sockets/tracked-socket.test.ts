import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TrackedSocket } from '../../src/index.js';
import { Followed, type ScriptedResolver } from '../endpoint/scripted-resolver.js';
import { settled } from '../fake-clock.js';

const [FIRST, SECOND, REFUSING] = ['127.0.0.2', '127.0.0.3', '127.0.0.9'];
const servers: net.Server[] = [];
let port: number;
let followed: Followed;

/** What was said to a server over one connection, once the other side has ended it. */
const received: Promise<string>[] = [];

async function listen(address: string, at: number): Promise<number> {
  const server = net.createServer((socket) => {
    received.push(
      new Promise((resolve) => {
        let text = '';
        socket.on('data', (chunk) => (text += chunk.toString()));
        socket.on('error', () => {});
        socket.on('close', () => resolve(text));
      }),
    );
  });
  servers.push(server);
  server.listen(at, address);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

function follow(says: ScriptedResolver['says']): Followed {
  followed = new Followed(says);
  return followed;
}

/** Everything that a socket says, in order. */
function heard(socket: TrackedSocket): string[] {
  const events: string[] = [];
  for (const name of ['connect', 'error', 'end', 'close']) {
    socket.on(name, (error?: unknown) => {
      events.push(error instanceof Error ? `${name} ${(error as NodeJS.ErrnoException).code}` : name);
    });
  }
  return events;
}

beforeAll(async () => {
  port = await listen(FIRST, 0);
  await listen(SECOND, port);
});
afterEach(() => {
  followed.endpoint.close();
  received.length = 0;
});
afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

describe('a socket of an endpoint', () => {
  it('waits for the first answer, and then says what was written meanwhile', async () => {
    const { endpoint, source } = follow('nothing');
    const socket = endpoint.connect(port);
    const events = heard(socket);
    socket.write('hello, ');
    socket.end('world');
    await settled();
    expect([socket.connecting, events, endpoint.snapshot().sockets.connecting]).toEqual([true, [], 1]);
    source.questions[0]!.answer(FIRST);
    await once(socket, 'connect');
    expect(socket.dialledAddress).toBe(FIRST);
    expect(await received[0]).toBe('hello, world');
  });

  it('passes on to the next address where one refuses, without a word', async () => {
    const { endpoint } = follow([REFUSING, SECOND]);
    const socket = endpoint.connect(port);
    const events = heard(socket);
    await once(socket, 'connect');
    expect([events, socket.dialledAddress, endpoint.state]).toEqual([['connect'], SECOND, 'steady']);
    expect([...socket.failures]).toMatchObject([[REFUSING, { code: 'ECONNREFUSED' }]]);
  });

  it('dials first what has not failed, from then on', async () => {
    const { endpoint } = follow([REFUSING, SECOND]);
    await once(endpoint.connect(port), 'connect');
    const next = endpoint.connect(port);
    await once(next, 'connect');
    expect(next.failures.size).toBe(0);
  });

  it('fails as that of net.connect where no address takes it, and so do its writes', async () => {
    const { endpoint, told } = withTold(follow([REFUSING]));
    const socket = endpoint.connect(port);
    const events = heard(socket);
    const writing = new Promise((resolve) => socket.write('lost', resolve));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(events).toEqual(['error ECONNREFUSED', 'close']);
    expect(await writing).toMatchObject({ code: 'ECONNREFUSED' });
    expect(endpoint.state).toBe('down');
    expect(told('down')).toMatchObject([{ addresses: [REFUSING] }]);
  });

  it('that persists dials on behind the back-off until the name moves, and is heard only then', async () => {
    const { endpoint, source, clock } = follow([REFUSING]);
    const refused = new Promise((resolve) => endpoint.once('down', resolve));
    const socket = endpoint.socket({ persist: () => true }).connect(port);
    const events = heard(socket);
    socket.end('kept');
    await refused;
    expect(clock.awaited).toBe(1);
    expect(events).toEqual([]);
    source.says = [FIRST];
    await endpoint.refresh();
    await once(socket, 'connect');
    expect(events).toEqual(['connect']);
    expect(await received[0]).toBe('kept');
  });

  it('dials again where the name moves before it is connected', async () => {
    const { endpoint, source, start } = withStart(follow([FIRST]));
    await start();
    const socket = endpoint.connect(port);
    const events = heard(socket);
    source.says = [SECOND];
    await endpoint.refresh();
    await once(socket, 'connect');
    expect([events, socket.dialledAddress]).toEqual([['connect'], SECOND]);
  });

  it('is closed with ADDRESS_LEFT where the name moves afterwards, and remembers where it was', async () => {
    const { endpoint, source } = follow([FIRST]);
    const socket = endpoint.connect(port);
    const events = heard(socket);
    await once(socket, 'connect');
    source.says = [SECOND];
    await endpoint.refresh();
    await new Promise((resolve) => socket.once('close', resolve));
    expect([events, socket.dialledAddress]).toEqual([['connect', 'error ADDRESS_LEFT', 'close'], FIRST]);
  });

  it.each(['waits for an answer', 'waits at the gate', 'is connected'])(
    'that %s is closed with ENDPOINT_CLOSED when its endpoint is closed',
    async (phase) => {
      const { endpoint, start } = withStart(follow(phase === 'waits for an answer' ? 'nothing' : [FIRST]));
      await start();
      if (phase === 'waits at the gate') endpoint.connect(port);
      const socket = endpoint.connect(port);
      const events = heard(socket);
      if (phase === 'is connected') await once(socket, 'connect');
      const closed = new Promise((resolve) => socket.once('close', resolve));
      endpoint.close();
      await closed;
      expect(events.slice(-2)).toEqual(['error ENDPOINT_CLOSED', 'close']);
      await settled();
      expect(endpoint.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
    },
  );

  it('that is destroyed while it waits at the gate gives its place to the next one', async () => {
    const { endpoint, start } = withStart(follow([FIRST]));
    await start();
    const sockets = Array.from({ length: 3 }, () => endpoint.connect(port));
    const events = heard(sockets[1]!);
    sockets[1]!.destroy();
    await once(sockets[2]!, 'connect');
    expect(events).toEqual(['close']);
    expect(endpoint.state).toBe('steady');
  });

  it('that its server closes makes the endpoint suspect; one that its user closes does not', async () => {
    const { endpoint } = follow([FIRST]);
    const own = endpoint.connect(port);
    await once(own, 'connect');
    own.end();
    await new Promise((resolve) => own.once('close', resolve));
    expect(endpoint.state).toBe('steady');
    const accepted = once(servers[0]!, 'connection') as Promise<[net.Socket]>;
    const lost = endpoint.connect(port);
    await once(lost, 'connect');
    const [peer] = await accepted;
    peer.destroy();
    await new Promise((resolve) => lost.once('close', resolve));
    expect(endpoint.state).toBe('suspect');
  });
});

function withTold(each: Followed) {
  return { endpoint: each.endpoint, told: (...args: Parameters<Followed['told']>) => each.told(...args) };
}

function withStart(each: Followed) {
  return { endpoint: each.endpoint, source: each.source, start: () => each.start() };
}
