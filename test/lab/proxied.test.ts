import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, type Lab, startLab } from '../../src/lab/index.js';

let lab: Lab;
let server: Server;
/** The server's ends of the connections, in the order of their arrival. */
let arrived: Socket[] = [];

const nothing = (): Promise<void> => Promise.resolve();

async function tcpDatabase(): Promise<Database> {
  server = createServer({ allowHalfOpen: true }, (socket) => void arrived.push(socket.on('error', () => undefined)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = (): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));
  return {
    kind: 'tcp',
    address: '127.0.0.1',
    port,
    close,
    kill: close,
    suspend: nothing,
    resume: nothing,
    restart: nothing,
  };
}

beforeAll(async () => {
  lab = await startLab({ hosts: 1, databases: tcpDatabase });
});
afterAll(() => lab.close());
beforeEach(async () => {
  await lab.current.restore();
  lab.current.resetConnections();
  await expect.poll(() => lab.current.connections).toBe(0);
  arrived = [];
});

/** Both ends of a connection through the host. */
async function both(): Promise<{ client: Socket; upstream: Socket }> {
  const client = connect({ port: lab.port, host: lab.current.address, allowHalfOpen: true });
  client.on('error', () => undefined);
  await once(client, 'connect');
  await expect.poll(() => arrived.length).toBe(1);
  return { client, upstream: arrived[0]! };
}

/** `'FIN'`, or the code of the error. */
function endOf(socket: Socket): Promise<string> {
  socket.resume();
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.on('end', () => resolve('FIN'));
  });
}

describe('a host in front of a server', () => {
  it.each(['client', 'upstream'] as const)('passes an RST of the %s on as an RST', async (side) => {
    const ends = await both();
    const other = endOf(side === 'client' ? ends.upstream : ends.client);
    ends[side].resetAndDestroy();
    expect(await other).toBe('ECONNRESET');
  });

  it.each(['client', 'upstream'] as const)(
    'passes a FIN of the %s on, and still carries the other direction',
    async (side) => {
      const ends = await both();
      const [from, to] = side === 'client' ? [ends.client, ends.upstream] : [ends.upstream, ends.client];
      const ended = endOf(to);
      from.end();
      expect(await ended).toBe('FIN');
      to.write('still');
      expect(String((await once(from, 'data'))[0])).toBe('still');
      const finished = endOf(from);
      to.end();
      expect(await finished).toBe('FIN');
      await expect.poll(() => lab.current.connections).toBe(0);
    },
  );

  it('holds even an RST of the server in a stall, until it is over', async () => {
    const { client, upstream } = await both();
    const ended = endOf(client);
    let over = false;
    void ended.then(() => (over = true));
    lab.current.stall();
    upstream.resetAndDestroy();
    await once(upstream, 'close');
    expect([over, lab.current.connections]).toEqual([false, 1]);
    await lab.current.restore();
    expect(await ended).toBe('ECONNRESET');
  });

  it('dials no server for a client that comes in a stall, until it is over', async () => {
    lab.current.stall();
    const client = connect(lab.port, lab.current.address);
    await once(client, 'connect');
    client.write('early');
    await expect.poll(() => lab.current.connections).toBe(1);
    expect(arrived).toEqual([]);
    await lab.current.restore();
    await expect.poll(() => arrived.length).toBe(1);
    expect(String((await once(arrived[0]!, 'data'))[0])).toBe('early');
    client.destroy();
  });

  it('leaves the server its session of a connection whose flow is lost', async () => {
    const { client, upstream } = await both();
    await lab.current.loseFlows();
    const [unheard, ended] = [endOf(upstream), endOf(client)];
    upstream.write('lost');
    client.destroy();
    const fresh = connect(lab.port, lab.current.address);
    await expect.poll(() => arrived.length).toBe(2);
    arrived[1]!.write('fresh');
    expect(String((await once(fresh, 'data'))[0])).toBe('fresh');
    expect([client.bytesRead, upstream.destroyed]).toEqual([0, false]);
    await lab.current.restore();
    expect(await unheard).toBe('ECONNRESET');
    fresh.destroy();
    void ended;
  });

  it('when killed resets both sides', async () => {
    const { client, upstream } = await both();
    const ends = [endOf(client), endOf(upstream)];
    lab.current.kill();
    expect(await Promise.all(ends)).toEqual(['ECONNRESET', 'ECONNRESET']);
  });

  it('loses, doubles and swaps no byte, whatever faults come and go', async () => {
    const step = fc.oneof(
      fc.record({ write: fc.uint8Array({ minLength: 1, maxLength: 3_000 }) }),
      fc.constantFrom(
        { fault: 'stall' as const },
        { fault: 'slow' as const },
        { fault: 'restore' as const },
        { fault: 'turn' as const },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await using echoing = await startLab({ hosts: 1 });
        const host = echoing.current;
        const client = connect(echoing.port, host.address);
        const received: Buffer[] = [];
        client.on('data', (chunk: Buffer) => received.push(chunk));
        for (const each of steps) {
          if ('write' in each) client.write(each.write);
          else if (each.fault === 'stall') host.stall();
          else if (each.fault === 'slow') host.slow(2);
          else if (each.fault === 'restore') await host.restore();
          else await pause(0);
        }
        await host.restore();
        client.end();
        await once(client, 'close');
        const sent = Buffer.concat(steps.flatMap((each) => ('write' in each ? [each.write] : [])));
        expect(Buffer.concat(received).equals(sent)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
