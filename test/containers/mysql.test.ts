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

  /** The authorities that sign the two servers' certificates, each its own. */
  async function authorities(): Promise<string[]> {
    return await Promise.all(databases.map((database) => database.readFile('/var/lib/mysql/ca.pem')));
  }

  it('the account logs in by caching_sha2_password, over TLS with a certificate that verifies', async () => {
    const [account] = await databases[0]!.query<{ plugin: string }>(
      `select plugin from mysql.user where user = '${LOGIN.user}'`,
    );
    expect(account).toEqual({ plugin: 'caching_sha2_password' });
    const { address: host, port } = databases[0]!;
    const [ca] = await authorities();
    const connection = await createConnection({ host, port, ...LOGIN, ssl: { ca: ca! } });
    const [rows] = await connection.query<RowDataPacket[]>("show session status like 'Ssl_cipher'");
    await connection.end();
    expect(rows[0]).toMatchObject({ Value: expect.stringMatching(/^TLS_|-/) });
  });

  it('eip-pool/mysql2 logs in the same way on both sides of a move', async () => {
    const driver = DRIVERS.find(({ server }) => server === MYSQL)!;
    const pool = driver.open(lab, { ssl: { ca: await authorities() } });
    try {
      expect(await pool.server()).toBe(await databases[0]!.identity());
      const seen = next<MoveEvent>(pool.endpoint, 'move');
      await lab.move(lab.hosts[1]!);
      await seen;
      expect(await pool.server()).toBe(await databases[1]!.identity());
    } finally {
      await pool.end();
    }
  });
});
