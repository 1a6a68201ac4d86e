import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { fill, makePool, portOf, serverOf, settled, startServers } from '../pg/support.js';
import { behind, type ServerProgram } from '../server-program.js';
import { suiteWith } from '../suite-with.js';
import { LOGIN } from './pgbouncer.js';

/** Prefers the first server; its health check logs in as far as the question for the password. */
function haProxy([first, second]: readonly number[]): ServerProgram {
  return {
    name: 'haproxy',
    ready: 'Loading success',
    args: (folder) => ['-W', '-db', '-f', `${folder}/haproxy.cfg`],
    files: ({ address, port }) => ({
      'haproxy.cfg': `
global
  maxconn 100
defaults
  mode tcp
  timeout connect 1s
  timeout check 500ms
  timeout client 1m
  timeout server 1m
listen servers
  bind ${address}:${port}
  option pgsql-check user ${LOGIN.user}
  default-server check inter 100ms fall 2 rise 2 on-marked-down shutdown-sessions
  server first 127.0.0.1:${first} on-marked-up shutdown-backup-sessions
  server second 127.0.0.1:${second} backup
`,
    }),
  };
}

suiteWith('haproxy', 'the name points to HAProxy and never moves', () => {
  let servers: Lab;
  let lab: Lab;
  let pool: Pool;

  beforeAll(async () => {
    servers = await startServers();
    const ports = servers.hosts.map((host) => host.database.port);
    lab = await startLab({ databases: behind(() => haProxy(ports)), hosts: 1 });
  }, 60_000);
  beforeEach(async () => {
    pool = makePool(lab, LOGIN);
    await fill(pool);
  });
  afterEach(async () => {
    expect(pool.endpoint!.generation).toBe(0);
    await pool.end();
  });
  afterAll(async () => {
    await lab?.close();
    await servers?.close();
  });

  const id = (index: number): number => portOf(servers, index);

  /** HAProxy has seen the first server come back when a statement runs there. */
  async function firstIsBack(): Promise<void> {
    await servers.hosts[0]!.database.restart();
    await expect.poll(async () => (await settled(serverOf(pool))).value, { timeout: 10_000 }).toBe(id(0));
  }

  it('the server dies: what was in flight fails, callers are served by the other one', async () => {
    const client = await pool.connect();
    expect(await serverOf(client)).toBe(id(0));
    const inFlight = settled(client.query('select pg_sleep(30)'));
    await servers.hosts[0]!.database.kill();
    try {
      const { error } = await inFlight;
      expect(outcomeOf(error)).toBe('unknown');
      client.release(error);
      await expect.poll(() => pool.idleCount).toBe(0);
      expect(await Promise.all(Array.from({ length: 20 }, () => serverOf(pool)))).toEqual(Array(20).fill(id(1)));
    } finally {
      await firstIsBack();
    }
  }, 20_000);

  it('the server comes back: the pool goes home, since HAProxy ends its connections to the other one', async () => {
    await servers.hosts[0]!.database.kill();
    await expect.poll(() => pool.idleCount).toBe(0);
    expect(await serverOf(pool)).toBe(id(1));
    await fill(pool);
    await firstIsBack();
    expect(await Promise.all(Array.from({ length: 20 }, () => serverOf(pool)))).toEqual(Array(20).fill(id(0)));
  }, 20_000);

  it('the server is frozen: HAProxy finds out, and the pool goes on at the other one', async () => {
    const client = await pool.connect();
    const inFlight = settled(client.query('select pg_sleep(30)'));
    await servers.hosts[0]!.database.suspend();
    try {
      const { error } = await inFlight;
      expect(outcomeOf(error)).toBe('unknown');
      client.release(error);
      await expect.poll(() => pool.idleCount).toBe(0);
      expect(await serverOf(pool)).toBe(id(1));
    } finally {
      await servers.hosts[0]!.database.resume();
      await firstIsBack();
    }
  }, 20_000);

  it('no server is left: callers wait, and are served when one is back', async () => {
    await Promise.all(servers.hosts.map((host) => host.database.kill()));
    await expect.poll(() => pool.idleCount).toBe(0);
    const waiting = Array.from({ length: 20 }, () => serverOf(pool));
    await new Promise<void>((resolve) => pool.endpoint!.once('down', () => resolve()));
    await servers.hosts[1]!.database.restart();
    expect(await Promise.all(waiting)).toEqual(Array(20).fill(id(1)));
    await firstIsBack();
  }, 40_000);
});
