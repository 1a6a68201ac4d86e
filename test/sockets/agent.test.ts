import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Case, compare, countsOf, NAME, resultOf, saidBy, settledAt, until } from './agent-support.js';

compare({
  'maxSockets: no more connections, and all are served': {
    agent: { keepAlive: true, maxSockets: 3 },
    run: async (world) => {
      const results = Array.from({ length: 12 }, () => resultOf(world.send()));
      const atOnce = countsOf(world);
      await Promise.all(results);
      return [atOnce, world.server.connections, world.server.mostAtOnce, new Set(await Promise.all(results)).size];
    },
  },
  'maxTotalSockets, over several hosts': {
    agent: { keepAlive: true, maxTotalSockets: 2 },
    run: async (world) => {
      const hosts = [NAME, NAME.toUpperCase(), `${NAME}.`];
      const results = hosts.flatMap((host) => [world.send({ host }), world.send({ host })]).map(resultOf);
      const atOnce = countsOf(world);
      await Promise.all(results.slice(0, 2));
      return [atOnce, world.server.mostAtOnce];
    },
  },
  'maxFreeSockets: so many are kept': {
    agent: { keepAlive: true, maxFreeSockets: 1 },
    run: async (world) => {
      await Promise.all([world.send(), world.send(), world.send()].map(resultOf));
      await settledAt(world, { sockets: 0 });
      return countsOf(world);
    },
  },
  'without keepAlive: a connection for each request': {
    run: async (world) => {
      for (let i = 0; i < 3; i++) await resultOf(world.send());
      await settledAt(world, { sockets: 0 });
      return [world.server.connections, countsOf(world)];
    },
  },
  'with keepAlive: one connection, used again': {
    agent: { keepAlive: true },
    run: async (world) => {
      const reused: boolean[] = [];
      for (let i = 0; i < 3; i++) {
        const request = world.send();
        await resultOf(request);
        reused.push(request.reusedSocket);
        await settledAt(world, { free: 1 });
      }
      return [world.server.connections, reused, Object.keys(world.agent.freeSockets).length];
    },
  },
  ...Object.fromEntries(
    (['fifo', 'lifo'] as const).map((scheduling): [string, Case] => [
      `scheduling ${scheduling}: which of two free connections is taken`,
      {
        agent: { keepAlive: true, scheduling },
        run: async (world) => {
          const requests = [world.send({ path: '/held' }), world.send({ path: '/held' })];
          const results = requests.map(resultOf);
          await until(() => world.server.held.length === 2);
          const ports = requests.map(({ socket }) => socket!.localPort);
          for (const [i, answer] of world.server.held.splice(0).entries()) {
            answer();
            await settledAt(world, { free: i + 1 });
          }
          await Promise.all(results);
          const free = Object.values(world.agent.freeSockets)[0]!.map(({ localPort }) => ports.indexOf(localPort));
          const next = world.send();
          await resultOf(next);
          return free.indexOf(ports.indexOf(next.socket!.localPort));
        },
      },
    ]),
  ),
  "the agent's timeout, with a silent server": {
    agent: { timeout: 50 },
    run: async (world) => {
      const request = world.send({ path: '/never' });
      request.once('timeout', () => request.destroy());
      return await saidBy(request);
    },
  },
  "the request's timeout, with a silent server": {
    agent: { timeout: 60_000 },
    run: async (world) => {
      const request = world.send({ path: '/never', timeout: 50 });
      request.once('timeout', () => request.destroy());
      return await saidBy(request);
    },
  },
  "the agent's timeout, while it connects": {
    agent: { timeout: 50 },
    resolving: 'never',
    run: async (world) => {
      const request = world.send();
      request.once('timeout', () => request.destroy());
      return [await saidBy(request), countsOf(world)];
    },
  },
  "the request's timeout, while it connects": {
    resolving: 'never',
    run: async (world) => {
      const request = world.send({ timeout: 50 });
      request.once('timeout', () => request.destroy());
      return await saidBy(request);
    },
  },
  'request.setTimeout(), which counts from the connection on': {
    resolving: 'never',
    run: async (world) => {
      const [request, later] = [world.send(), world.send({ timeout: 100 })];
      request.setTimeout(1);
      let timedOut = false;
      request.on('timeout', () => (timedOut = true)).on('error', () => {});
      later.on('error', () => {});
      await once(later, 'timeout');
      request.destroy();
      later.destroy();
      return timedOut;
    },
  },
  'setTimeout() of the socket, while it connects': {
    resolving: 'never',
    run: async (world) => {
      const request = world.send();
      const [socket] = (await once(request, 'socket')) as [Socket];
      socket.setTimeout(20);
      await once(socket, 'timeout');
      const told = [socket.timeout, socket.connecting, socket.destroyed];
      request.on('error', () => {}).destroy();
      return told;
    },
  },
  'a timeout that was taken back while it connects': {
    agent: { timeout: 20 },
    resolving: 'never',
    run: async (world) => {
      const request = world.send();
      const [socket] = (await once(request, 'socket')) as [Socket];
      let timedOut = false;
      socket.setTimeout(0).on('timeout', () => (timedOut = true));
      const later = world.send().on('error', () => {});
      await once(later, 'timeout');
      request.on('error', () => {}).destroy();
      later.destroy();
      return [timedOut, socket.timeout];
    },
  },
  'a request that is destroyed while it connects': {
    resolving: 'never',
    run: async (world) => {
      const request = world.send();
      request.on('socket', () => request.destroy());
      const said = await saidBy(request);
      await settledAt(world, { sockets: 0 });
      return [said, countsOf(world)];
    },
  },
  'a request that is destroyed in the turn in which it was made': {
    run: async (world) => {
      const request = world.send();
      const said = saidBy(request);
      request.destroy();
      const result = [await said, await resultOf(world.send({ path: '/next' }))];
      await settledAt(world, { sockets: 0 });
      return [result, world.server.served];
    },
  },
  'a request that is aborted by a signal while it connects': {
    resolving: 'never',
    run: async (world) => {
      const controller = new AbortController();
      const request = world.send({ signal: controller.signal });
      request.on('socket', () => controller.abort());
      return await saidBy(request);
    },
  },
  'requests that were given up while they waited for a place': {
    agent: { keepAlive: true, maxSockets: 1 },
    run: async (world) => {
      const first = world.send({ path: '/held' });
      const result = resultOf(first);
      const given = Array.from({ length: 3 }, () => world.send({ path: '/given-up' }));
      const said = given.map(saidBy);
      await until(() => world.server.held.length === 1);
      for (const request of given) request.destroy();
      const last = resultOf(world.send({ path: '/last' }));
      world.server.held[0]!();
      await Promise.all([result, last]);
      return [await Promise.all(said), world.server.served, world.server.connections];
    },
  },
  'more requests than sockets, given up while the first ones connect': {
    agent: { maxSockets: 2 },
    resolving: 'never',
    run: async (world) => {
      const requests = Array.from({ length: 5 }, () => world.send());
      const said = requests.map(saidBy);
      const before = countsOf(world);
      for (const request of requests) request.destroy();
      await Promise.all(said);
      await settledAt(world, { sockets: 0 });
      return [await Promise.all(said), before, countsOf(world)];
    },
  },
  'agent.destroy() while its sockets connect': {
    agent: { maxSockets: 2 },
    resolving: 'never',
    run: async (world) => {
      const requests = [world.send(), world.send()];
      const said = requests.map(saidBy);
      await Promise.all(requests.map((request) => once(request, 'socket')));
      world.agent.destroy();
      return [await Promise.all(said), countsOf(world)];
    },
  },
  'agent.destroy() with idle sockets, and a request afterwards': {
    agent: { keepAlive: true },
    run: async (world) => {
      await Promise.all([world.send(), world.send()].map(resultOf));
      await settledAt(world, { free: 2 });
      world.agent.destroy();
      await until(() => world.server.sockets.size === 0);
      const after = countsOf(world);
      return [after, await resultOf(world.send())];
    },
  },
  'agent.destroy() in the middle of a response': {
    agent: { keepAlive: true },
    run: async (world) => {
      const request = world.send({ path: '/half' });
      const result = resultOf(request);
      await once(request, 'response');
      world.agent.destroy();
      return [await result, countsOf(world)];
    },
  },
});
