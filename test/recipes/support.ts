import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Endpoint, FollowOptions, MoveEvent } from '../../src/index.js';
import { follow } from '../../src/index.js';
import { type Database, type DatabaseFactory, type Lab, type LabOptions, startLab } from '../../src/lab/index.js';

/** A server of this process behind each of the lab's hosts; `make` gets the host's number, for it to answer with. */
export function inProcess(make: (index: number) => Server): DatabaseFactory {
  return async ({ index }): Promise<Database> => {
    const server = make(index);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { address, port } = server.address() as AddressInfo;
    const unsupported = (): Promise<void> => Promise.reject(new Error('a server of this process has no process'));
    const close = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    };
    return {
      kind: 'in-process',
      address,
      port,
      close,
      kill: unsupported,
      suspend: unsupported,
      resume: unsupported,
      restart: unsupported,
    };
  };
}

type DatabaseKind = Extract<NonNullable<LabOptions['databases']>, string>;

export interface Recipe {
  readonly lab: Lab;
  readonly endpoint: Endpoint;
  /** Points the name to that host; resolves when the endpoint has moved. */
  move(index: number): Promise<void>;
}

/** A lab with these servers, and an endpoint on its name, for the tests of one `describe`. */
export function useServers(
  databases: DatabaseFactory | DatabaseKind,
  start: (name: string, options: FollowOptions) => Endpoint = follow,
): Recipe {
  let lab: Lab;
  let endpoint: Endpoint;
  beforeAll(async () => {
    lab = await startLab({ databases });
    endpoint = start(lab.name, { servers: lab.servers, intervalMillis: 100 });
    await endpoint.ready();
  }, 60_000);
  const move = async (index: number): Promise<void> => {
    const moved = new Promise<MoveEvent>((resolve) => endpoint.once('move', resolve));
    await lab.move(lab.hosts[index]!);
    await moved;
  };
  beforeEach(async () => {
    for (const host of lab.hosts) await host.restore();
    await move(0);
  });
  afterAll(async () => {
    endpoint?.close();
    await lab?.close();
  });
  return {
    get lab() {
      return lab;
    },
    get endpoint() {
      return endpoint;
    },
    move,
  };
}
