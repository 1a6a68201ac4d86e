import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TrackedSocket } from '../../src/index.js';
import type { Reply } from '../../src/sockets/connection.js';
import { Followed } from '../endpoint/scripted-resolver.js';
import { settled } from '../fake-clock.js';

const [FIRST, SECOND] = ['127.0.0.4', '127.0.0.5'];
const servers: net.Server[] = [];
let port: number;
let followed: Followed;
/** What a fresh log-in says, and a ping. */
let login: () => Promise<Reply>;
let ping: () => Promise<void>;
let retired: TrackedSocket[];

const dead = (): Promise<never> => Promise.reject(new Error('no reply'));

async function listen(address: string, at: number): Promise<number> {
  const server = net.createServer((peer) => peer.on('error', () => {}));
  servers.push(server);
  server.listen(at, address);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

beforeAll(async () => {
  port = await listen(FIRST, 0);
  await listen(SECOND, port);
});
beforeEach(async () => {
  followed = new Followed([FIRST]);
  [login, ping, retired] = [dead, dead, []];
  followed.endpoint.register({ port, timeoutMillis: 500, login: () => login() });
  await followed.endpoint.ready();
});
afterEach(() => followed.endpoint.close());
afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

interface Doing {
  readonly leased?: boolean;
  readonly waiting?: boolean;
}

/** A connection of an adapter; it is left in its log-in unless it settles. */
async function connected({ leased = false, waiting = false }: Doing, settles = true): Promise<TrackedSocket> {
  const socket = followed.endpoint.socket({ persist: () => false });
  socket.expectHandshake();
  socket.carry({
    isLeased: () => leased,
    isWaiting: () => waiting,
    retire: () => retired.push(socket),
    goodbye: () => socket.destroy(),
    ping: () => ping(),
    drainMillis: 2_000,
    silenceMillis: 1_000,
  });
  socket.connect(port);
  await once(socket, 'connect');
  if (settles) socket.settle('usable');
  return socket;
}

/** What a socket ends with. */
function endOf(socket: TrackedSocket): { code: unknown } {
  const end: { code: unknown } = { code: undefined };
  socket.on('error', (error: NodeJS.ErrnoException) => (end.code = error.code));
  socket.on('close', () => (end.code ??= 'closed'));
  return end;
}

describe('a server that is found dead', () => {
  it('loses its leases, its idle connections and its log-ins at once, and the endpoint is down', async () => {
    const sockets = [await connected({ leased: true, waiting: true }), await connected({}), await connected({}, false)];
    const ends = sockets.map(endOf);
    await followed.clock.advance(999);
    expect([followed.endpoint.state, ends.map(({ code }) => code)]).toEqual(['steady', Array(3).fill(undefined)]);
    await followed.clock.advance(1);
    expect(followed.told('suspect')).toMatchObject([{ address: FIRST, cause: { code: 'ADDRESS_DEAD' } }]);
    // Nobody is asked any more once it is dead.
    ping = () => new Promise(() => {});
    await followed.clock.advance(250);
    expect(followed.endpoint.state).toBe('down');
    expect(followed.told('down')).toMatchObject([{ addresses: [FIRST], cause: { code: 'ADDRESS_DEAD' } }]);
    expect(ends.map(({ code }) => code)).toEqual(['ADDRESS_DEAD', 'closed', 'ADDRESS_DEAD']);
    expect(retired).toEqual(sockets.slice(0, 2));
    expect(followed.endpoint.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
  });

  it('is left where it is while it answers a log-in: it is busy', async () => {
    login = async () => 'usable';
    const end = endOf(await connected({ leased: true, waiting: true }));
    await followed.clock.advance(60_000);
    expect([followed.endpoint.state, end.code]).toEqual(['steady', undefined]);
  });

  it('is not buried any more once the name has left it: its leases drain', async () => {
    const end = endOf(await connected({ leased: true, waiting: true }));
    await followed.clock.advance(1_000);
    followed.source.says = [SECOND];
    await followed.endpoint.refresh();
    await followed.clock.advance(1_999);
    expect(end.code).toBeUndefined();
    await followed.clock.advance(1);
    await settled();
    expect(end.code).toBe('ADDRESS_LEFT');
  });
});

describe('a connection that was idle for long', () => {
  it('is confirmed by an answer, and is then no longer quiet', async () => {
    ping = async () => {};
    const socket = await connected({});
    await followed.clock.advance(12_000);
    expect(socket.quietMillis).toBeGreaterThanOrEqual(10_000);
    expect(await followed.endpoint.confirm(socket)).toBe(true);
    expect([socket.quietMillis, retired]).toEqual([0, []]);
  });

  it('that does not answer takes those with it that were idle as long, and no others', async () => {
    const old = [await connected({}), await connected({})];
    const leased = await connected({ leased: true });
    await followed.clock.advance(12_000);
    const young = await connected({});
    const ends = [...old, leased, young].map(endOf);
    expect(await followed.endpoint.confirm(old[0]!)).toBe(false);
    await followed.clock.advance(0);
    expect(ends.map(({ code }) => code)).toEqual(['closed', 'closed', undefined, undefined]);
    expect([retired, followed.endpoint.state]).toEqual([old, 'suspect']);
  });
});
