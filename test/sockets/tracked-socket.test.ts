import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { EipPoolError, type FollowOptions, type TrackedSocket } from '../../src/index.js';
import { Gate } from '../../src/sockets/gate.js';
import { Followed, PUBLIC, type ScriptedResolver } from '../endpoint/scripted-resolver.js';
import { settled } from '../fake-clock.js';

const [FIRST, SECOND, REFUSING, SILENT] = ['127.0.0.2', '127.0.0.3', '127.0.0.9', '127.0.0.8'];
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

function follow(says: ScriptedResolver['says'], options: FollowOptions = {}): Followed {
  followed = new Followed(says, options);
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
  vi.restoreAllMocks();
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

describe('a connection that is not made in time', () => {
  /** Nobody answers there. */
  function silence(): void {
    const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket;
    vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(function (this: net.Socket, ...args: unknown[]) {
      const [options] = args as [{ host?: string } | undefined];
      return options?.host === SILENT ? this : Reflect.apply(connect, this, args);
    });
  }

  it('fails after connectTimeoutMillis, and says so', async () => {
    silence();
    const { endpoint, clock } = follow([SILENT], { connectTimeoutMillis: 500 });
    await endpoint.ready();
    const socket = endpoint.connect(port);
    const events = heard(socket);
    await clock.advance(499);
    expect([events, endpoint.state]).toEqual([[], 'steady']);
    await clock.advance(1);
    expect([events, endpoint.state]).toEqual([['error CONNECT_TIMEOUT', 'close'], 'down']);
    expect(socket.lastError).toMatchObject({ message: expect.stringContaining('within 500 ms') as unknown });
  });

  it('leads to the next address', async () => {
    silence();
    const { endpoint, clock } = follow([SILENT, FIRST]);
    await endpoint.ready();
    const socket = endpoint.connect(port);
    const events = heard(socket);
    const connected = once(socket, 'connect');
    await clock.advance(2_000);
    await connected;
    expect([events, socket.dialledAddress, [...socket.failures.keys()]]).toEqual([['connect'], FIRST, [SILENT]]);
  });

  it('has no less time where the event loop stands still', async () => {
    silence();
    const { endpoint, clock } = follow([SILENT]);
    await endpoint.ready();
    const events = heard(endpoint.connect(port));
    clock.suspend(60_000);
    await clock.advance(1_799);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(events).toEqual(['error CONNECT_TIMEOUT', 'close']);
  });
});

describe('a socket that may not dial', () => {
  it('is told in the next turn, so that whoever made it can listen first', async () => {
    const { endpoint } = follow([PUBLIC]);
    await expect(endpoint.ready()).rejects.toMatchObject({ code: 'PUBLIC_ADDRESS' });
    const socket = endpoint.connect(port);
    expect(socket.connecting).toBe(true);
    const events = heard(socket);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(events).toEqual(['error PUBLIC_ADDRESS', 'close']);
  });

  it('dials as soon as it may, where its adapter persists', async () => {
    const { endpoint, source } = follow([PUBLIC]);
    await expect(endpoint.ready()).rejects.toMatchObject({ code: 'PUBLIC_ADDRESS' });
    const causes: unknown[] = [];
    const socket = endpoint.socket({ persist: () => false }).connect(port);
    // An adapter may say so in the same turn.
    socket.follow({ persist: (cause) => (causes.push(cause), true) });
    await settled();
    source.says = [FIRST];
    await endpoint.refresh();
    await once(socket, 'connect');
    expect(causes).toMatchObject([{ code: 'PUBLIC_ADDRESS' }]);
  });

  it('looks for a gate no more than twice when the first answer comes, however many wait with it', async () => {
    const enter = vi.spyOn(Gate.prototype, 'enter');
    const { endpoint, source } = follow('nothing');
    const sockets = Array.from({ length: 30 }, () => endpoint.connect(port));
    const order: number[] = [];
    sockets.forEach((socket, i) => socket.once('connect', () => order.push(i)));
    await settled();
    source.questions[0]!.answer(FIRST);
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect([order.length, order[0]]).toEqual([30, 0]);
    expect(enter.mock.calls.length).toBeLessThanOrEqual(60);
  });

  it('goes by the last word of its adapter', async () => {
    const { endpoint } = follow([REFUSING]);
    const socket = endpoint.socket({ persist: () => true });
    socket.connect(port);
    socket.follow({ persist: () => false });
    const events = heard(socket);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(events).toEqual(['error ECONNREFUSED', 'close']);
  });
});

describe('a log-in on a socket', () => {
  /** Connected, and its driver logs in now. */
  async function loggingIn({ endpoint }: Followed): Promise<TrackedSocket> {
    const socket = endpoint.socket({ persist: () => false });
    socket.expectHandshake();
    socket.connect(port);
    await once(socket, 'connect');
    expect(socket.state.kind).toBe('handshake');
    return socket;
  }
  /** Is the next attempt to the address held back by the pause after a failure? */
  function pauses({ endpoint, clock }: Followed): boolean {
    const before = clock.awaited;
    endpoint.connect(port).on('error', () => {});
    return clock.awaited > before;
  }
  const busy = new EipPoolError('DEADLINE_EXCEEDED', 'the server says that it cannot');

  it.each([
    ['usable', 'open', 'steady', false],
    ['answered', 'leaving', 'steady', false],
    ['full', 'leaving', 'steady', true],
    ['unusable', 'leaving', 'down', true],
  ] as const)('that ends as %s leaves it %s and the endpoint %s', async (reply, kind, state, pause) => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    socket.settle(reply, 'starting', busy);
    expect([socket.state.kind, each.endpoint.state]).toEqual([kind, state]);
    expect(pauses(each)).toBe(pause);
    // Its word counts once.
    socket.settle('unusable', 'dead', busy);
    expect([socket.state.kind, each.endpoint.state]).toEqual([kind, state]);
    socket.destroy();
  });

  it('tells the endpoint why it failed', async () => {
    const each = follow([FIRST]);
    (await loggingIn(each)).settle('unusable', 'starting', busy);
    expect(each.told('down')).toEqual([{ cause: busy, addresses: [FIRST] }]);
  });

  it('to a server that is found dead fails with that, and those behind it wait', async () => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    const events = heard(socket);
    socket.failHandshake(new EipPoolError('ADDRESS_DEAD', 'silent'));
    expect(pauses(each)).toBe(true);
    await new Promise((resolve) => socket.once('close', resolve));
    expect([events, each.endpoint.state]).toEqual([['error ADDRESS_DEAD', 'close'], 'steady']);
  });

  it('that is over is not ended by such news', async () => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    socket.settle('usable');
    socket.failHandshake(new EipPoolError('ADDRESS_DEAD', 'silent'));
    expect([socket.state.kind, socket.destroyed]).toEqual(['open', false]);
  });

  it('that is slow is not cut at connectTimeoutMillis, and keeps nobody else at the gate from then on', async () => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    const next = each.endpoint.connect(port);
    await each.clock.advance(1_999);
    expect(next.state.kind).toBe('waiting');
    await each.clock.advance(1);
    if (next.connecting) await once(next, 'connect');
    expect([next.state.kind, socket.state.kind, socket.destroyed]).toEqual(['open', 'handshake', false]);
  });

  it('that its server ends is a failure of the server', async () => {
    const each = follow([FIRST]);
    const accepted = once(servers[0]!, 'connection') as Promise<[net.Socket]>;
    const socket = await loggingIn(each);
    (await accepted)[0].destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(each.endpoint.state).toBe('down');
  });

  it('that its user ends is none', async () => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(each.endpoint.state).toBe('steady');
  });

  it('is ended when the name moves, and is no failure of the server', async () => {
    const each = follow([FIRST]);
    const socket = await loggingIn(each);
    const events = heard(socket);
    each.source.says = [SECOND];
    await each.endpoint.refresh();
    await new Promise((resolve) => socket.once('close', resolve));
    expect([events, each.endpoint.state]).toEqual([['error ADDRESS_LEFT', 'close'], 'steady']);
  });
});

function withTold(each: Followed) {
  return { endpoint: each.endpoint, told: (...args: Parameters<Followed['told']>) => each.told(...args) };
}

function withStart(each: Followed) {
  return { endpoint: each.endpoint, source: each.source, start: () => each.start() };
}
