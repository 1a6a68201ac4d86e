import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TrackedSocket } from '../../src/index.js';
import { Followed } from '../endpoint/scripted-resolver.js';
import { FakeProber } from './fake-prober.js';

const [FIRST, SECOND] = ['127.0.0.6', '127.0.0.7'];
let server: net.Server;
let port: number;
let followed: Followed;

beforeAll(async () => {
  server = net.createServer((peer) => peer.on('error', () => {}));
  server.listen(0, FIRST);
  await once(server, 'listening');
  ({ port } = server.address() as net.AddressInfo);
});
beforeEach(() => {
  followed = new Followed([FIRST]);
});
afterEach(() => followed.endpoint.close());
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

async function connected(leased: boolean): Promise<TrackedSocket> {
  const socket = followed.endpoint.connect(port);
  socket.carry({
    isLeased: () => leased,
    isWaiting: () => leased,
    retire: () => {},
    goodbye: () => void socket.destroy(),
    ping: () => new Promise(() => {}),
    drainMillis: 60_000,
    silenceMillis: 1_000,
  });
  await once(socket, 'connect');
  return socket;
}

/** What each ends with; all have the same code. */
async function endOf(sockets: readonly TrackedSocket[]): Promise<{ codes: Set<unknown>; errors: Set<Error> }> {
  const errors = await Promise.all(
    sockets.map((socket) => new Promise<Error & { code?: unknown }>((resolve) => socket.once('error', resolve))),
  );
  return { codes: new Set(errors.map(({ code }) => code)), errors: new Set(errors) };
}

describe('what ends several connections gives each an error of its own:', () => {
  it('the close of their endpoint', async () => {
    const ends = endOf([await connected(true), await connected(true), await connected(true)]);
    followed.endpoint.close();
    const { codes, errors } = await ends;
    expect([[...codes], errors.size]).toEqual([['ENDPOINT_CLOSED'], 3]);
  });

  it('a server that is found dead when the name leaves it', async () => {
    const leased = [await connected(true), await connected(true)];
    await connected(false);
    const ends = endOf(leased);
    followed.source.says = [SECOND];
    await followed.endpoint.refresh();
    await followed.clock.advance(3_000);
    const { codes, errors } = await ends;
    expect([[...codes], errors.size]).toEqual([['ADDRESS_DEAD'], 2]);
  });

  it('a server that falls silent', async () => {
    followed.endpoint.register(new FakeProber(port, 'lost'));
    const ends = endOf([await connected(true), await connected(true)]);
    await followed.clock.advance(3_000);
    const { codes, errors } = await ends;
    expect([[...codes], errors.size]).toEqual([['ADDRESS_DEAD'], 2]);
  });

  it('a name that has no address', async () => {
    followed.source.says = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND', syscall: 'queryA' });
    const ends = endOf([followed.endpoint.connect(port), followed.endpoint.connect(port)]);
    const { codes, errors } = await ends;
    expect([[...codes], errors.size]).toEqual([['ENOTFOUND'], 2]);
  });
});
