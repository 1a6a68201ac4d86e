import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { AbstractConnector, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import type { Database, DatabaseFactory } from '../../src/lab/index.js';
import { useServers } from './support.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

const installed = ((): boolean => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const redis: DatabaseFactory = async ({ log }): Promise<Database> => {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', '/'];
  const child: ChildProcess = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('redis-server did not start')));
    child.stdout!.on('data', (lines: Buffer) => {
      log(lines.toString());
      if (lines.includes('Ready to accept connections')) resolve();
    });
  });
  const kill = async (): Promise<void> => {
    const exited = once(child, 'exit');
    if (child.kill('SIGKILL')) await exited;
  };
  const signal = (name: NodeJS.Signals) => async (): Promise<void> => void child.kill(name);
  const restart = (): Promise<void> => Promise.reject(new Error('not needed here'));
  const closeSync = (): void => void child.kill('SIGKILL');
  return {
    kind: 'redis',
    address: '127.0.0.1',
    port,
    kill,
    suspend: signal('SIGSTOP'),
    resume: signal('SIGCONT'),
    restart,
    close: kill,
    closeSync,
  };
};

describe.skipIf(!installed)(`ioredis${installed ? '' : ' (skipped: redis-server is not installed)'}`, () => {
  const recipe = useServers(redis);

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
