import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AdoptOptions, followProcess } from '../../src/index.js';
import { Followed } from '../endpoint/scripted-resolver.js';

const [FIRST, SECOND, ELSEWHERE] = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
const NAME = 'db.example.com';
const servers: net.Server[] = [];
const accepted: Set<net.Socket> = new Set();
let port: number;
let followed: Followed;
/** What a server does with a byte, and with the end of the other side. */
let answers: 'everything' | 'pings' | 'nothing';
let hangsUp: boolean;

async function listen(address: string, at: number): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    accepted.add(socket);
    socket.on('error', () => {}).on('close', () => accepted.delete(socket));
    socket.on('data', (chunk) => {
      const isAnswered = answers === 'everything' || (answers === 'pings' && String(chunk) === 'PING');
      if (isAnswered) socket.write(chunk);
    });
    socket.on('end', () => hangsUp && socket.end());
  });
  servers.push(server);
  server.listen(at, address);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

async function open(address: string): Promise<net.Socket> {
  const socket = net.connect(port, address);
  await once(socket, 'connect');
  return socket;
}

/** Everything that a socket says, in order. */
function heard(socket: net.Socket): string[] {
  const events: string[] = [];
  for (const name of ['connect', 'error', 'end', 'close']) {
    socket.on(name, (error?: unknown) => {
      events.push(error instanceof Error ? `${name} ${(error as NodeJS.ErrnoException).code}` : name);
    });
  }
  return events;
}

async function moveTo(...addresses: string[]): Promise<void> {
  followed.source.says = addresses;
  await followed.endpoint.refresh();
}

/** Whatever it is closed with. */
const closed = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

beforeAll(async () => {
  port = await listen(FIRST, 0);
  await listen(SECOND, port);
  await listen(ELSEWHERE, port);
});
beforeEach(async () => {
  [answers, hangsUp] = ['everything', true];
  followed = new Followed([FIRST]);
  await followed.start();
});
afterEach(() => {
  followed.endpoint.close();
  for (const socket of accepted) socket.destroy();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

describe('endpoint.adopt', () => {
  it('ends a socket when drainMillis are over after the name has left its address, and not before', async () => {
    const socket = followed.endpoint.adopt(await open(FIRST), { drainMillis: 500 });
    const events = heard(socket);
    await moveTo(SECOND);
    await followed.clock.advance(400);
    socket.write('still there');
    expect((await once(socket, 'data')).toString()).toBe('still there');
    expect(events).toEqual([]);
    await Promise.all([closed(socket), followed.clock.advance(200)]);
    expect(events).toEqual(['end', 'close']);
    expect(followed.endpoint.snapshot().sockets).toMatchObject({ open: 0, leaving: 0 });
  });

  it('leaves one alone that leads to where the name points', async () => {
    const socket = followed.endpoint.adopt(await open(SECOND));
    await moveTo(SECOND);
    await followed.clock.advance(10_000);
    socket.write('x');
    await once(socket, 'data');
    expect(socket.destroyed).toBe(false);
  });

  it('destroys one whose other side does not answer its end, with an error that says why', async () => {
    hangsUp = false;
    const socket = followed.endpoint.adopt(await open(FIRST), { drainMillis: 0 });
    const events = heard(socket);
    let said = '';
    socket.once('error', ({ message }) => (said = message));
    await moveTo(SECOND);
    await Promise.all([closed(socket), followed.clock.advance(1), followed.clock.advance(200)]);
    expect(events).toEqual(['error ADDRESS_LEFT', 'close']);
    expect(said).toContain('its work did not end within 0 ms (drainMillis)');
  });

  it('does not end the process of an owner who listens only to its close', async () => {
    hangsUp = false;
    const socket = followed.endpoint.adopt(await open(FIRST), { drainMillis: 0 });
    await moveTo(SECOND);
    await Promise.all([closed(socket), followed.clock.advance(1), followed.clock.advance(200)]);
    expect(socket.destroyed).toBe(true);
  });

  it('follows one that is still connecting, and one that is connected later', async () => {
    const connecting = followed.endpoint.adopt(net.connect(port, FIRST), { drainMillis: 0 });
    const later = followed.endpoint.adopt(new net.Socket(), { drainMillis: 0 });
    later.connect(port, FIRST);
    await Promise.all([once(connecting, 'connect'), once(later, 'connect')]);
    expect(followed.endpoint.snapshot().sockets.open).toBe(2);
    await moveTo(SECOND);
    await Promise.all([closed(connecting), closed(later), followed.clock.advance(1)]);
  });

  it('ends one that leads elsewhere from the start', async () => {
    const socket = followed.endpoint.adopt(await open(ELSEWHERE), { drainMillis: 100 });
    await Promise.all([closed(socket), followed.clock.advance(200)]);
  });

  it('waits for the first answer before it says that one leads elsewhere', async () => {
    followed.endpoint.close();
    followed = new Followed('nothing');
    await followed.start();
    const here = followed.endpoint.adopt(await open(FIRST), { drainMillis: 0 });
    const elsewhere = followed.endpoint.adopt(await open(ELSEWHERE), { drainMillis: 0 });
    await followed.clock.advance(300);
    expect([here.destroyed, elsewhere.destroyed]).toEqual([false, false]);
    followed.source.questions.at(-1)!.answer(FIRST);
    await Promise.all([closed(elsewhere), followed.clock.advance(1), followed.clock.advance(1)]);
    expect(here.destroyed).toBe(false);
  });

  it('gives up an attempt to an address that the name has left meanwhile, so that its owner tries again', async () => {
    const socket = new net.Socket();
    const events = heard(socket);
    // It never answers, so that the attempt goes on.
    followed.endpoint.adopt(socket.connect({ host: NAME, port, lookup: () => {} }));
    socket.emit('lookup', null, FIRST, 4, NAME);
    await Promise.all([closed(socket), moveTo(SECOND)]);
    expect(events).toEqual(['error ADDRESS_LEFT', 'close']);
  });

  it('does nothing to one that has ended, nor twice to the same one', async () => {
    const socket = await open(FIRST);
    const [count, twice] = [(): number => socket.listenerCount('close'), followed.endpoint];
    twice.adopt(socket, { drainMillis: 0 });
    const once = count();
    twice.adopt(socket, { drainMillis: 60_000 });
    expect(count()).toBe(once);
    await moveTo(SECOND);
    await Promise.all([closed(socket), followed.clock.advance(1)]);
    expect(followed.endpoint.adopt(socket)).toBe(socket);
    expect(followed.endpoint.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
  });

  it('forgets one whose owner has removed every listener', async () => {
    const socket = followed.endpoint.adopt(await open(FIRST));
    socket.removeAllListeners();
    socket.destroy();
    await followed.clock.advance(1_000);
    await new Promise(setImmediate);
    expect(followed.endpoint.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
  });

  it('asks the name at once when one is cut off by the other side', async () => {
    const socket = followed.endpoint.adopt(await open(FIRST));
    socket.on('error', () => {});
    const suspect = once(followed.endpoint, 'suspect');
    await expect.poll(() => accepted.size).toBe(1);
    for (const other of accepted) other.destroy();
    await suspect;
  });

  it('thinks nothing of an end that its owner wanted', async () => {
    const socket = followed.endpoint.adopt(await open(FIRST));
    socket.end();
    await closed(socket);
    expect(followed.told('suspect')).toEqual([]);
  });

  it('gives it back when it is closed', async () => {
    const socket = followed.endpoint.adopt(await open(FIRST));
    followed.endpoint.close();
    socket.write('x');
    await once(socket, 'data');
    expect(() => followed.endpoint.adopt(socket)).toThrow(expect.objectContaining({ code: 'ENDPOINT_CLOSED' }));
  });

  it('cuts it at once where its server was asked twice, as the caller says, and is silent', async () => {
    answers = 'nothing';
    const asked: string[] = [];
    const ping = (probe: net.Socket): void => {
      asked.push(probe.remoteAddress!);
      probe.write('PING');
    };
    const socket = followed.endpoint.adopt(await open(FIRST), { ping });
    const events = heard(socket);
    socket.write('question');
    const ended = closed(socket);
    for (let i = 0; i < 80 && !socket.destroyed; i++) {
      await followed.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await ended;
    expect(events).toEqual(['error ADDRESS_DEAD', 'close']);
    expect(asked).toEqual([FIRST, FIRST]);
  });

  it('cuts it long before its drain is over where the name has left a server that is silent', async () => {
    answers = 'nothing';
    const ping = (probe: net.Socket): unknown => probe.write('PING');
    const socket = followed.endpoint.adopt(await open(FIRST), { ping, drainMillis: 60_000 });
    const events = heard(socket);
    await moveTo(SECOND);
    for (let i = 0; i < 80 && !socket.destroyed; i++) {
      await followed.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await expect.poll(() => events).toEqual(['error ADDRESS_DEAD', 'close']);
  });

  it('leaves it alone where its server answers that question, however long its work takes', async () => {
    answers = 'pings';
    let asked = 0;
    const ping = (probe: net.Socket): void => {
      asked++;
      probe.write('PING');
    };
    const socket = followed.endpoint.adopt(await open(FIRST), { ping });
    socket.write('question');
    for (let i = 0; i < 80; i++) {
      await followed.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect([socket.destroyed, asked > 0]).toEqual([false, true]);
  });

  it('ends TLS on top of it too, once', async () => {
    const fixture = (file: string): string => readFileSync(new URL(`../pg/fixtures/${file}`, import.meta.url), 'utf8');
    const [key, cert] = [fixture('tls.key'), fixture('tls.crt')];
    const server = tls.createServer({ key, cert }, (socket) => socket.on('error', () => {}).pipe(socket));
    server.listen(0, FIRST);
    await once(server, 'listening');
    const raw = net.connect((server.address() as net.AddressInfo).port, FIRST);
    await once(raw, 'connect');
    followed.endpoint.adopt(raw, { drainMillis: 0 });
    const secure = tls.connect({ socket: raw, servername: NAME, ca: cert });
    const events = heard(secure);
    await once(secure, 'secureConnect');
    secure.write('hello');
    expect((await once(secure, 'data')).toString()).toBe('hello');
    await moveTo(SECOND);
    await Promise.all([closed(secure), followed.clock.advance(1), followed.clock.advance(200)]);
    expect(events.filter((event) => event === 'close')).toEqual(['close']);
    server.close();
  });

  it('refuses what is no TCP socket', async () => {
    const refused = expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('socket') });
    const path = join(tmpdir(), `eip-pool-adopt-${process.pid}.sock`);
    const server = net.createServer().listen(path);
    await once(server, 'listening');
    const pipe = net.connect(path);
    expect(() => followed.endpoint.adopt(pipe)).toThrow(refused);
    await once(pipe, 'connect');
    expect(() => followed.endpoint.adopt(pipe)).toThrow(refused);
    expect(() => followed.endpoint.adopt({ on: () => {} } as never)).toThrow(refused);
    expect(() => followed.endpoint.adopt(null as never)).toThrow(refused);
    pipe.destroy();
    server.close();
  });

  it.each([
    [{ drainMillis: -1 }, 'adopt.drainMillis'],
    [{ ping: 'PING' }, 'adopt.ping'],
    [{ drainMilis: 1 }, 'adopt.drainMillis?'],
  ])('names the option that is wrong: %o', (options, named) => {
    const adopt = (): unknown => followed.endpoint.adopt(new net.Socket(), options as AdoptOptions);
    expect(adopt).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(named) }));
  });
});

describe('followProcess', () => {
  // oxlint-disable-next-line typescript/unbound-method
  const stock = net.Socket.prototype.connect;
  const follow = (name: string = NAME): ReturnType<typeof followProcess> =>
    followProcess(name, { resolver: followed.source, clock: followed.clock, drainMillis: 0 });

  it('follows every way to connect by the name, in any spelling, and nothing else', async () => {
    const endpoint = follow();
    const sockets = [
      net.connect(port, NAME),
      net.connect({ host: 'DB.Example.com.', port }),
      net.createConnection({ host: NAME, port, lookup: () => expect.unreachable() }),
      new net.Socket().connect(port, NAME),
      new net.Socket().connect({ host: NAME, port }),
    ];
    const other = net.connect(port, FIRST);
    await Promise.all([...sockets, other].map((socket) => once(socket, 'connect')));
    expect(endpoint.snapshot().sockets.open).toBe(5);
    followed.source.says = [SECOND];
    await endpoint.refresh();
    await Promise.all([...sockets.map(closed), followed.clock.advance(1)]);
    expect(other.destroyed).toBe(false);
    other.destroy();
    const next = net.connect(port, NAME);
    await once(next, 'connect');
    expect(next.remoteAddress).toBe(SECOND);
    endpoint.close();
    next.destroy();
  });

  it('calls the listener that connect was given, once', async () => {
    const endpoint = follow();
    let calls = 0;
    const socket = net.connect(port, NAME, () => calls++);
    await once(socket, 'connect');
    const again = new net.Socket().connect(port, NAME, () => calls++);
    await once(again, 'connect');
    expect(calls).toBe(2);
    endpoint.close();
    for (const one of [socket, again]) one.destroy();
  });

  it('follows one that is connected again', async () => {
    const endpoint = follow();
    const socket = net.connect(port, NAME);
    await once(socket, 'connect');
    socket.destroy();
    await closed(socket);
    socket.connect(port, NAME);
    await once(socket, 'connect');
    expect(endpoint.snapshot().sockets.open).toBe(1);
    endpoint.close();
    socket.destroy();
  });

  it('takes no socket twice that an endpoint has made, nor one that another one has', async () => {
    const [endpoint, second] = [follow(), follow()];
    const own = followed.endpoint.connect(port);
    const socket = net.connect(port, NAME);
    await Promise.all([once(own, 'connect'), once(socket, 'connect')]);
    const open = [endpoint, second, followed.endpoint].map((one) => one.snapshot().sockets.open);
    expect(open).toEqual([1, 0, 1]);
    for (const one of [endpoint, second]) one.close();
    socket.destroy();
  });

  it('leaves net as it was when the last one is closed, and looks like its own until then', () => {
    const [endpoint, second] = [follow(), follow('cache.example.com')];
    const ours = net.Socket.prototype.connect;
    expect(ours).not.toBe(stock);
    expect([ours.name, ours.length]).toEqual([stock.name, stock.length]);
    endpoint.close();
    expect(net.Socket.prototype.connect).toBe(ours);
    second.close();
    expect(net.Socket.prototype.connect).toBe(stock);
  });

  it('throws what net throws, and names a wrong option of its own', () => {
    const endpoint = follow();
    expect(() => net.connect(70_000, NAME)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }));
    endpoint.close();
    const wrong = (options: unknown, named: string): void =>
      expect(() => followProcess(NAME, options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(named) }),
      );
    wrong({ drainMillis: 'x' }, 'followProcess.drainMillis');
    wrong({ intervalMillis: 1 }, 'follow.intervalMillis');
    wrong(7, 'followProcess');
    expect(net.Socket.prototype.connect).toBe(stock);
  });
});
