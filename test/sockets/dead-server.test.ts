import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TrackedSocket } from '../../src/index.js';
import { Followed } from '../endpoint/scripted-resolver.js';
import { settled } from '../fake-clock.js';
import { FakeProber } from './fake-prober.js';

const [FIRST, SECOND] = ['127.0.0.4', '127.0.0.5'];
const servers: net.Server[] = [];
let port: number;
let followed: Followed;
let prober: FakeProber;
let ping: (() => Promise<void>) | undefined;
let retired: TrackedSocket[];

const silent = (): Promise<never> => new Promise(() => {});

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
  [ping, retired] = [silent, []];
  prober = new FakeProber(port, 'lost');
  followed.endpoint.register(prober);
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
    ping: ping && (() => ping!()),
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
    await followed.clock.advance(1_499);
    expect([followed.endpoint.state, ends.map(({ code }) => code)]).toEqual(['steady', Array(3).fill(undefined)]);
    await followed.clock.advance(1);
    expect(followed.told('suspect')).toMatchObject([{ address: FIRST, cause: { code: 'ADDRESS_DEAD' } }]);
    await followed.clock.advance(500);
    expect(followed.endpoint.state).toBe('down');
    expect(followed.told('down')).toMatchObject([{ addresses: [FIRST], cause: { code: 'ADDRESS_DEAD' } }]);
    expect(ends.map(({ code }) => code)).toEqual(['ADDRESS_DEAD', 'closed', 'ADDRESS_DEAD']);
    expect(retired).toEqual(sockets.slice(0, 2));
    expect(followed.endpoint.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
  });

  it('is left where it is while it answers: it is busy', async () => {
    prober.wire = () => 'byte';
    const end = endOf(await connected({ leased: true, waiting: true }));
    await followed.clock.advance(60_000);
    expect([followed.endpoint.state, end.code]).toEqual(['steady', undefined]);
  });

  it('is not buried any more once the name has left it: its leases drain', async () => {
    const end = endOf(await connected({ leased: true, waiting: true }));
    await followed.clock.advance(1_000);
    prober.wire = () => 'byte';
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

  it('and that nobody can ask on is handed out as it is, and is as quiet as before', async () => {
    ping = undefined;
    const socket = await connected({});
    await followed.clock.advance(12_000);
    expect(await followed.endpoint.confirm(socket)).toBe(true);
    expect(socket.quietMillis).toBeGreaterThanOrEqual(10_000);
    socket.destroy();
    expect(await followed.endpoint.confirm(socket)).toBe(false);
  });

  it('that ends while it is asked is no news of the others', async () => {
    const [socket, other] = [await connected({}), await connected({})];
    await followed.clock.advance(12_000);
    ping = () => (socket.destroy(), Promise.reject(new Error('its lifetime is over')));
    expect(await followed.endpoint.confirm(socket)).toBe(false);
    await followed.clock.advance(0);
    expect([other.destroyed, retired, followed.endpoint.state]).toEqual([false, [], 'steady']);
  });

  it('that does not answer takes those with it that were idle as long, and no others', async () => {
    const old = [await connected({}), await connected({})];
    const leased = await connected({ leased: true });
    await followed.clock.advance(12_000);
    const young = await connected({});
    const ends = [...old, leased, young].map(endOf);
    const confirmed = followed.endpoint.confirm(old[0]!);
    await followed.clock.advance(250);
    expect(await confirmed).toBe(false);
    expect(ends.map(({ code }) => code)).toEqual(['closed', 'closed', undefined, undefined]);
    expect([retired, followed.endpoint.state]).toEqual([old, 'suspect']);
  });
});
