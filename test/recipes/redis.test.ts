import { AbstractConnector, Redis } from 'ioredis';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { behind } from '../server-program.js';
import { suiteWith } from '../suite-with.js';
import { REDIS } from './programs.js';
import { useServers } from './support.js';

suiteWith('redis-server', 'ioredis', () => {
  const recipe = useServers(behind(() => REDIS));

  it('follows the name with a connector, and its queue outlives the move', async () => {
    const { endpoint, lab } = recipe;
    class Connector extends AbstractConnector {
      constructor() {
        super(100);
      }
      override connect(): Promise<Socket> {
        this.stream = endpoint.connect(lab.port);
        return Promise.resolve(this.stream);
      }
    }
    const client = new Redis({ Connector: Connector });
    client.on('error', () => {});
    const serverOf = async (): Promise<string | undefined> => /tcp_port:(\d+)/.exec(await client.info('server'))?.[1];
    expect(await serverOf()).toBe(String(lab.hosts[0]!.database.port));
    await recipe.move(1);
    expect(await serverOf()).toBe(String(lab.hosts[1]!.database.port));
    lab.hosts[1]!.kill();
    const waiting = serverOf();
    await recipe.move(0);
    expect(await waiting).toBe(String(lab.hosts[0]!.database.port));
    client.disconnect();
  });
});
