import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { createPool, type Pool, type PoolOptions } from '../../src/mysql2/index.js';
import { createPoolCluster } from '../../src/mysql2/promise.js';
import {
  configOf,
  countsOf,
  end,
  lease,
  onServers,
  resetLab,
  serverOf,
  portOf,
  settled,
  startServers,
} from './support.js';

let lab: Lab;
let pool: Pool;

onServers('the sockets under mysql2', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it.each<[string, PoolOptions, unknown[]]>([
    ['5 s by default', {}, [true, 5_000]],
    ['the application’s own delay', { keepAliveInitialDelay: 20_000 }, [true, 20_000]],
    ['none where the application wants none', { enableKeepAlive: false }, [false, 5_000]],
  ])('have noDelay, and keepalive: %s', async (_, options, expected) => {
    const noDelay = vi.spyOn(Socket.prototype, 'setNoDelay');
    const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
    pool = createPool(configOf(lab, options));
    const connection = await lease(pool);
    const { stream } = connection as unknown as { stream: Socket };
    const last = (spy: typeof noDelay | typeof keepAlive): unknown => {
      const own = spy.mock.contexts
        .map((context, call) => ({ context, call }))
        .filter(({ context }) => context === stream);
      return spy.mock.calls[own.at(-1)?.call ?? -1];
    };
    expect([last(noDelay), last(keepAlive)]).toEqual([[true], expected]);
    if (process.platform === 'linux') expect(hasKeepalive(stream)).toBe(expected[0]);
    connection.release();
  });

  it.each([
    ['query', (timeout: number) => ({ sql: 'select sleep(30)', timeout })],
    ['execute', (timeout: number) => ({ sql: 'select sleep(30)', timeout })],
  ] as const)('of a cluster: a statement that times out gives its place back, by %s', async (method, options) => {
    const cluster = createPoolCluster();
    cluster.add('one', configOf(lab, { connectionLimit: 1 }));
    pool = createPool(configOf(lab));
    const namespace = cluster.of('one');
    expect((await settled(namespace[method as 'query'](options(50)))).error?.code).toBe('PROTOCOL_SEQUENCE_TIMEOUT');
    const [rows] = await namespace.query('select @@port as port');
    expect(rows).toEqual([{ port: portOf(lab, 0) }]);
    await cluster.end();
  });

  it('of a lease: a statement that timed out leaves with its lease, and its place is free', async () => {
    pool = createPool(configOf(lab, { connectionLimit: 1 }));
    const held = await lease(pool);
    const told = await new Promise((resolve) => {
      held.query({ sql: 'select sleep(30)', timeout: 50 }).once('error', resolve);
    });
    expect(told).toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
    held.release();
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(countsOf(pool).total).toBe(1);
  });
});

/** Does the kernel run a keepalive timer for it? Column `tr` of proc(5), /proc/net/tcp. */
function hasKeepalive({ localPort = 0 }: Socket): boolean {
  const local = `:${localPort.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.some(([, from, , , , timer]) => from?.endsWith(local) === true && timer?.startsWith('02:') === true);
}
