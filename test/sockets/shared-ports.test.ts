import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrackedSocket } from '../../src/index.js';
import { Followed } from '../endpoint/scripted-resolver.js';
import { FakeProber } from './fake-prober.js';

/** Two services on one address, behind one endpoint. */
const [ADDRESS, OTHER] = ['127.0.0.6', '127.0.0.7'];
let server: net.Server;
let well: number;
let broken: number;
let followed: Followed;
let told: string[];
let sockets: TrackedSocket[];

async function listen(): Promise<[net.Server, number]> {
  const listening = net.createServer((peer) => peer.on('error', () => {}));
  listening.listen(0, ADDRESS);
  await once(listening, 'listening');
  return [listening, (listening.address() as net.AddressInfo).port];
}

beforeEach(async () => {
  const [gone, port] = await listen();
  broken = port;
  [server, well] = await listen();
  await new Promise((resolve) => gone.close(resolve));
  followed = new Followed([ADDRESS]);
  [told, sockets] = [[], []];
  for (const name of ['suspect', 'down', 'recovered'] as const) followed.endpoint.on(name, () => told.push(name));
  await followed.endpoint.ready();
});
afterEach(async () => {
  followed.endpoint.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

interface Doing {
  readonly leased?: boolean;
  readonly waiting?: boolean;
  readonly ping?: () => Promise<void>;
}

/** A connection of an adapter. */
async function connected(port: number, { leased = false, waiting = false, ping }: Doing): Promise<TrackedSocket> {
  const socket = followed.endpoint.socket({ persist: () => false });
  sockets.push(socket);
  socket.expectHandshake();
  socket.carry({
    isLeased: () => leased,
    isWaiting: () => waiting,
    retire: () => {},
    goodbye: () => socket.destroy(),
    ping: ping ?? (async () => {}),
    drainMillis: 2_000,
    silenceMillis: 1_000,
  });
  socket.connect(port);
  await once(socket, 'connect');
  socket.settle('usable');
  return socket;
}

async function connects(port: number): Promise<void> {
  const socket = followed.endpoint.connect(port);
  sockets.push(socket);
  await once(socket, 'connect');
}

/** A pool whose server refuses connections, and whose callers wait for it. */
function waits(): TrackedSocket {
  const socket = followed.endpoint.socket({ persist: () => true });
  sockets.push(socket);
  return socket.on('error', () => {}).connect(broken);
}

describe('of two ports of one address', () => {
  it('the well one is dialled at once, however long another caller waits for the other', async () => {
    await connects(well);
    const waiting = waits();
    while (waiting.lastError === null) await followed.clock.advance(10);
    // Nothing but the gate could keep them waiting, and no time passes on its clock.
    await connects(well);
    await connects(well);
  });

  it('one that refuses makes the endpoint suspect once, while the other one goes on', async () => {
    await connects(well);
    waits();
    while (followed.endpoint.state === 'steady') await followed.clock.advance(10);
    for (let i = 0; i < 5; i++) {
      await followed.clock.advance(1_000);
      await connects(well);
    }
    expect([told, followed.endpoint.state]).toEqual([['suspect'], 'suspect']);
  });

  it('a silent one is found dead beside the other, whose own work goes on', async () => {
    const [silent, silentPort] = await listen();
    followed.endpoint.register(new FakeProber(well, 'byte'));
    const asking = new FakeProber(silentPort, 'silent');
    followed.endpoint.register(asking);
    const hung = await connected(silentPort, { leased: true, waiting: true });
    const busy = await connected(well, { leased: true, waiting: true });
    const idle = await connected(well, {});
    const lost = once(hung, 'error');
    await followed.clock.advance(5_000);
    expect(await lost).toMatchObject([{ code: 'ADDRESS_DEAD' }]);
    expect(asking.asked).toHaveLength(2);
    expect([busy, idle].map((socket) => socket.state.kind)).toEqual(['open', 'open']);
    expect(told).toEqual(['suspect']);
    silent.close();
  });

  it('each is asked by itself where the name wants to go back: one that is dead speaks for itself alone', async () => {
    const { endpoint, source, clock } = followed;
    source.says = [OTHER];
    await clock.advance(11_000);
    source.says = [ADDRESS];
    await clock.advance(12_000);
    const asking = [new FakeProber(broken, 'lost'), new FakeProber(well, 'byte')];
    for (const prober of asking) endpoint.register(prober);
    const busy = await connected(well, { leased: true });
    source.says = [OTHER];
    await clock.advance(3_000);
    expect(asking.map(({ asked }) => asked[0])).toEqual(['login', 'login']);
    expect([busy.state.kind, endpoint.current?.addresses]).toEqual(['open', [ADDRESS]]);
  });
});
