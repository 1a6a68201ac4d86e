import type { PoolConnection } from 'mysql2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import mysql, { type Pool, type PoolCluster } from '../../src/mysql2/index.js';
import promise from '../../src/mysql2/promise.js';
import { configOf, end, fill, onServers, portOf, resetLab, serverOf, settled, startServers } from './support.js';

const idsOf = (cluster: PoolCluster): string[] => Object.keys((cluster as unknown as { _nodes: object })._nodes);
const nodeOf = (cluster: PoolCluster, id: string): Pool =>
  (cluster as unknown as { _nodes: Record<string, { pool: Pool }> })._nodes[id]!.pool;

describe('a cluster', () => {
  it('to which wrong options are added has no node of them, and takes the corrected ones', () => {
    const cluster = mysql.createPoolCluster();
    for (const failover of [{ nope: 1 }, { waitAtStart: true }]) {
      expect(() => cluster.add('a', { host: 'a.b', failover })).toThrow(/^option failover\./);
    }
    expect(() => cluster.add({ host: '127.0.0.1', follow: {} })).toThrow(/^option host/);
    expect(idsOf(cluster)).toEqual([]);
    cluster.add('a', { host: 'a.b' });
    expect(nodeOf(cluster, 'a').endpoint?.name).toBe('a.b');
    cluster.end();
  });

  it('keeps the first node of an id, as mysql2’s does', () => {
    const cluster = mysql.createPoolCluster();
    cluster.add('a', { host: 'a.b' });
    cluster.add('a', { host: 'c.d' });
    expect(nodeOf(cluster, 'a').endpoint?.name).toBe('a.b');
    cluster.end();
  });

  it('names a node without an id as mysql2’s does, and reads a URI', () => {
    const clusters = [mysql.createPoolCluster(), promise.createPoolCluster()];
    for (const cluster of clusters) {
      cluster.add({ host: 'a.b' });
      cluster.add('uri', 'mysql://user@c.d:3307/app');
    }
    const [callback, inside] = [
      clusters[0]! as PoolCluster,
      (clusters[1] as unknown as { poolCluster: PoolCluster }).poolCluster,
    ];
    for (const cluster of [callback, inside]) {
      expect(idsOf(cluster)).toEqual(['CLUSTER::1', 'uri']);
      expect(nodeOf(cluster, 'uri').endpoint?.name).toBe('c.d');
      cluster.end();
    }
  });
});

let lab: Lab;

onServers('a cluster whose first node dies, and keeps its name', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  const clusters: PoolCluster[] = [];
  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((each) => new Promise<void>((resolve) => each.end(() => resolve()))));
    await resetLab(lab);
  });
  afterAll(async () => {
    await lab?.close();
  });

  const clusterOf = (options: Parameters<typeof mysql.createPoolCluster>[0] = {}): PoolCluster => {
    const cluster = mysql.createPoolCluster({ defaultSelector: 'ORDER', ...options });
    clusters.push(cluster);
    cluster.add('first', configOf(lab));
    cluster.add('second', { host: lab.hosts[1]!.address, port: lab.port, ...lab.connection });
    return cluster;
  };
  const get = (cluster: PoolCluster, pattern: string = '*'): Promise<PoolConnection> =>
    new Promise((resolve, reject) => {
      cluster.getConnection(pattern, (error, connection) => (error == null ? resolve(connection) : reject(error)));
    });
  const serverBehind = async (cluster: PoolCluster): Promise<number> => {
    const connection = await get(cluster);
    const port = await serverOf(connection);
    connection.release();
    return port;
  };
  const lose = async (cluster: PoolCluster): Promise<void> => {
    lab.hosts[0]!.kill();
    const idle = (nodeOf(cluster, 'first') as unknown as { _freeConnections: { length: number } })._freeConnections;
    await expect.poll(() => idle.length).toBe(0);
  };

  it('tries it as often as mysql2’s does, without a pause, then takes the second, until the first is back', async () => {
    const cluster = clusterOf({ removeNodeErrorCount: 100, restoreNodeTimeout: 50 });
    const warned: (string | undefined)[] = [];
    cluster.on('warn', (error: NodeJS.ErrnoException) => warned.push(error.code));
    await fill(nodeOf(cluster, 'first'), 2);
    expect(await serverBehind(cluster)).toBe(portOf(lab, 0));
    await lose(cluster);
    expect(await serverBehind(cluster)).toBe(portOf(lab, 1));
    expect(warned).toEqual(Array(100).fill('ECONNREFUSED'));
    await lab.hosts[0]!.restore();
    await expect.poll(() => serverBehind(cluster)).toBe(portOf(lab, 0));
  }, 10_000);

  it('serves all who ask at the same time from the second, with statements too', async () => {
    const cluster = clusterOf();
    await fill(nodeOf(cluster, 'first'), 2);
    await lose(cluster);
    const namespace = cluster.of('*', 'ORDER');
    const query = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        namespace.query('select @@port as port', (error, rows) => (error === null ? resolve(rows) : reject(error)));
      });
    const rows = await Promise.all(Array.from({ length: 20 }, query));
    expect(rows).toEqual(Array(20).fill([{ port: portOf(lab, 1) }]));
    expect(idsOf(cluster)).toEqual(['second']);
  }, 10_000);

  it('tells its caller what mysql2 would, where there is no other', async () => {
    const cluster = clusterOf({ canRetry: false });
    await fill(nodeOf(cluster, 'first'), 2);
    await lose(cluster);
    expect((await settled(get(cluster, 'first'))).error?.code).toBe('ECONNREFUSED');
  }, 10_000);

  it('a node of which every connection is leased has its next caller wait for a turn, as mysql2’s does', async () => {
    const cluster = mysql.createPoolCluster();
    clusters.push(cluster);
    cluster.add('only', configOf(lab, { connectionLimit: 1 }));
    const leased = await get(cluster);
    const next = get(cluster);
    leased.release();
    (await next).release();
  });

  it('follows its name inside the cluster', async () => {
    const cluster = clusterOf();
    await fill(nodeOf(cluster, 'first'), 2);
    await lose(cluster);
    await lab.hosts[1]!.restore();
    const pool = nodeOf(cluster, 'first');
    const moved = new Promise((resolve) => pool.endpoint!.once('move', resolve));
    await lab.move(lab.hosts[1]!);
    await moved;
    const connection = await get(cluster, 'first');
    expect(await serverOf(connection)).toBe(portOf(lab, 1));
    connection.release();
    await end(pool);
  });
});
