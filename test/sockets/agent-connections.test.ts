import { once } from 'node:events';
import type { AgentOptions, IncomingMessage, RequestOptions } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  ADDRESS,
  closed,
  compare,
  countsOf,
  lookupOf,
  NAME,
  resultOf,
  saidBy,
  settledAt,
  thrownBy,
} from './agent-support.js';

compare({
  'a refused connection, and those that wait behind it': {
    agent: { maxSockets: 1 },
    run: async (world) => {
      const unused = net.createServer().listen(0, ADDRESS);
      await once(unused, 'listening');
      const { port } = unused.address() as AddressInfo;
      await new Promise((resolve) => unused.close(resolve));
      const errors = await Promise.all(
        [world.send({ port }), world.send({ port })].map(async (request) => {
          const [error] = (await once(request, 'error')) as [
            NodeJS.ErrnoException & { address?: string; port?: number },
          ];
          return [error.code, error.syscall, error.address, error.port === port, error.message.replace(/\d+$/, 'PORT')];
        }),
      );
      await settledAt(world, { sockets: 0 });
      return [errors, countsOf(world)];
    },
  },
  'a name that does not resolve': {
    resolving: Object.assign(new Error(`getaddrinfo ENOTFOUND ${NAME}`), { code: 'ENOTFOUND' }),
    run: async (world) => [await saidBy(world.send()), countsOf(world)],
  },
  'a connection that its server closes while it is idle': {
    agent: { keepAlive: true },
    run: async (world) => {
      await resultOf(world.send());
      await settledAt(world, { free: 1 });
      for (const socket of world.server.sockets) socket.destroy();
      await settledAt(world, { free: 0 });
      const request = world.send();
      return [await resultOf(request), request.reusedSocket, world.server.connections];
    },
  },
  'localAddress, which the server sees': {
    run: async ({ send }) => await resultOf(send({ localAddress: '127.0.0.77' })),
  },
  'localAddress of the agent': {
    agent: { localAddress: '127.0.0.78' },
    run: async ({ send }) => await resultOf(send()),
  },
  'a port, or a local address, that is none': {
    run: async ({ send }) => [
      thrownBy(() => send({ port: 99_999 })),
      thrownBy(() => send({ port: -1 })),
      thrownBy(() => send({ port: 'x' })),
      thrownBy(() => send({ localAddress: 'here' })),
    ],
  },
  "a server's hint that it keeps nothing open": {
    agent: { keepAlive: true, timeout: 5_000 },
    run: async (world) => {
      for (let i = 0; i < 2; i++) {
        await resultOf(world.send({ path: '/hint' }));
        await settledAt(world, { sockets: 0 });
      }
      return [world.server.connections, countsOf(world)];
    },
  },
  'a body of a megabyte that is written while it connects': {
    run: async (world) => {
      const request = world.send({ method: 'POST' }, 'none yet');
      const result = resultOf(request);
      const kept = request.write('x'.repeat(1024 * 1024));
      const drained = once(request, 'drain');
      await drained;
      request.end();
      return [kept, await result];
    },
  },
  'what a socket knows of its connection': {
    agent: { keepAlive: true },
    run: async (world) => {
      const request = world.send();
      const [socket] = (await once(request, 'socket')) as [TLSSocket];
      const before = [socket.connecting, socket.encrypted];
      await resultOf(request);
      const { remoteAddress, remoteFamily, remotePort, localAddress, localFamily, localPort } = socket;
      const address = socket.address() as AddressInfo;
      return [
        ...before,
        [socket.connecting, socket.authorized],
        [remoteAddress, remoteFamily, remotePort === world.port],
        [localAddress, localFamily, [...world.server.sockets].map((peer) => peer.remotePort === localPort)],
        [address.address, address.family, address.port === localPort],
      ];
    },
  },
  'an upgrade: the socket is no longer the agent\u2019s': {
    agent: { keepAlive: true },
    run: async (world) => {
      const request = world.send({ headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
      const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Socket];
      const counts = countsOf(world);
      socket.write('hello');
      const [echo] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      await closed(socket);
      return [counts, echo.toString()];
    },
  },
  'idle connections, which let the process end': {
    agent: { keepAlive: true },
    run: async (world) => {
      await Promise.all([world.send(), world.send()].map(resultOf));
      await settledAt(world, { free: 2 });
      for (const socket of world.server.sockets) socket.unref();
      return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    },
  },
  'agent.createConnection() as others call it': {
    run: async ({ agent, port }) => {
      const make = (agent as unknown as { createConnection(options: object): Socket }).createConnection.bind(agent);
      const lookup = lookupOf('to the server');
      const socket = make({ host: NAME, port, servername: NAME, lookup, rejectUnauthorized: false });
      const before = socket.connecting;
      await once(socket, 'connect');
      const { remoteAddress } = socket;
      socket.destroy();
      await closed(socket);
      return [before, remoteAddress, socket.destroyed];
    },
  },
  'a certificate of an authority that is not known': {
    only: 'https',
    run: async (world) => {
      const result = await resultOf(world.send({ ca: [] } as RequestOptions));
      await settledAt(world, { sockets: 0 });
      return [result, countsOf(world)];
    },
  },
  'a certificate of another name': {
    only: 'https',
    run: async ({ send }) => await resultOf(send({ servername: 'other.example.com' } as RequestOptions)),
  },
  'a TLS session that is resumed': {
    only: 'https',
    agent: { maxCachedSessions: 10 } as AgentOptions,
    run: async (world) => {
      const reused: boolean[] = [];
      for (let i = 0; i < 2; i++) {
        const request = world.send();
        await resultOf(request);
        reused.push((request.socket as TLSSocket).isSessionReused());
        await settledAt(world, { sockets: 0 });
      }
      return reused;
    },
  },
});
