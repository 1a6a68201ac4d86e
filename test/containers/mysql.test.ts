import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MoveEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { next } from '../pg/support.js';
import { type ContainerDatabase, startContainers } from './container-database.js';
import { DRIVERS } from './driver.js';
import { LOGIN, MYSQL } from './server-image.js';
import { suiteFor } from './suite.js';

await suiteFor('MySQL with caching_sha2_password and TLS', [MYSQL], () => {
  let lab: Lab;
  let databases: readonly ContainerDatabase[];

  beforeAll(async () => {
    ({ lab, databases } = await startContainers(MYSQL));
  }, 180_000);
  afterAll(async () => {
    await lab?.close();
  });

  it('the account logs in by caching_sha2_password, over TLS with a certificate that verifies', async () => {
    const [account] = await databases[0]!.query<{ plugin: string }>(
      `select plugin from mysql.user where user = '${LOGIN.user}'`,
    );
    expect(account).toEqual({ plugin: 'caching_sha2_password' });
    const { address: host, port } = databases[0]!;
    const ca = await databases[0]!.readFile('/var/lib/mysql/ca.pem');
    const connection = await createConnection({ host, port, ...LOGIN, ssl: { ca } });
    const [rows] = await connection.query<RowDataPacket[]>("show session status like 'Ssl_cipher'");
    await connection.end();
    expect(rows[0]).toMatchObject({ Value: expect.stringMatching(/^TLS_|-/) });
  });

  it('eip-pool/mysql2 logs in the same way on both sides of a move', async () => {
    const driver = DRIVERS.find(({ server }) => server === MYSQL)!;
    // Each server signs for itself, and both authorities have one name: no client can tell them apart.
    const pool = driver.open(lab, { ssl: { rejectUnauthorized: false } });
    try {
      expect(await pool.server()).toBe(await databases[0]!.identity());
      expect(await transports(databases[0]!)).toEqual(['SSL/TLS']);
      const seen = next<MoveEvent>(pool.endpoint, 'move');
      await lab.move(lab.hosts[1]!);
      await seen;
      expect(await pool.server()).toBe(await databases[1]!.identity());
      expect(await transports(databases[1]!)).toEqual(['SSL/TLS']);
    } finally {
      await pool.end();
    }
  });

  /** What the server says of the connections of the tests' account. */
  async function transports(database: ContainerDatabase): Promise<string[]> {
    const rows = await database.query<{ transport: string }>(
      `select connection_type as transport from performance_schema.threads where processlist_user = '${LOGIN.user}'`,
    );
    return rows.map(({ transport }) => transport);
  }
});
