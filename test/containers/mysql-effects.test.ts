import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { onlyReads } from '../../src/outcome/reads.js';
import {
  HARMLESS_ON_MYSQL,
  MYSQL_BACKUP,
  MYSQL_BACKUP_PASSES,
  MYSQL_PLUGINS,
  ON_MYSQL,
  PASSES,
  PASSES_ON_MYSQL,
} from '../mysql2/effects.js';
import { settled } from '../mysql2/support.js';
import { type ContainerDatabase, startContainers } from './container-database.js';
import { ADMIN_PASSWORD, LOGIN, MYSQL } from './server-image.js';
import { suiteFor } from './suite.js';

/** The functions for keys need a place for them from the start of the server on: MySQL 8.4 manual, 8.4.4.2. */
const MANIFEST = '{"components":"file://component_keyring_file"}';
const KEYRING = '{"path":"/var/lib/mysql/keyring","read_only":false}';

await suiteFor('in a READ ONLY transaction of MySQL', [MYSQL], () => {
  let lab: Lab;
  let database: ContainerDatabase;
  let connection: Connection;
  let hasBackup: boolean;

  async function valueOf(sql: string): Promise<unknown> {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return rows[0]?.['v'];
  }

  async function passes(sql: string): Promise<void> {
    await connection.query('start transaction read only');
    expect((await settled(connection.query(sql))).error).toBeUndefined();
    await connection.query('commit');
    expect(onlyReads(sql, 'mysql')).toBe(false);
  }

  async function proveThatItStays(sql: string, witness: string): Promise<void> {
    const before = await valueOf(witness);
    await passes(sql);
    await expect.poll(() => valueOf(witness)).not.toEqual(before);
  }

  beforeAll(async () => {
    const started = await startContainers(MYSQL, 1);
    lab = started.lab;
    database = started.databases[0]!;
    const [row] = await database.query<{ plugins: string }>('select @@plugin_dir as plugins');
    await database.writeFile('/usr/sbin/mysqld.my', MANIFEST);
    await database.writeFile(`${row!.plugins}component_keyring_file.cnf`, KEYRING);
    await database.stop();
    await database.restart();
    for (const sql of MYSQL_PLUGINS) await database.query(sql);
    hasBackup = (await settled(database.query(MYSQL_BACKUP))).error === undefined;
    const { address: host, port } = database;
    connection = await createConnection({ host, port, ...LOGIN, user: 'root', password: ADMIN_PASSWORD });
  }, 180_000);
  afterAll(async () => {
    await connection?.end();
    await lab?.close();
  });

  it.each(ON_MYSQL)('%s passes, so it is never run again', async (sql, witness) => {
    await proveThatItStays(sql, witness);
  });

  it.each([...PASSES.map(([, sql]) => sql), ...PASSES_ON_MYSQL])('%s passes, so it is never run again', passes);

  it.each(MYSQL_BACKUP_PASSES)('%s passes where the server has it, so it is never run again', async (sql, witness) => {
    if (hasBackup) await proveThatItStays(sql, witness);
    else expect(onlyReads(sql, 'mysql')).toBe(false);
  });

  /** A newer server fails here with the names of what it has added: prove each, and put it on its list. */
  it('no function that its plug-ins and components register is forgotten, unless it is harmless', async () => {
    const rows = await database.query<{ name: string }>(
      'select udf_name as name from performance_schema.user_defined_functions',
    );
    expect(rows.length).toBeGreaterThan(20);
    const forgotten = rows
      .map(({ name }) => name)
      .filter((name) => onlyReads(`select ${name}()`, 'mysql') && !HARMLESS_ON_MYSQL.has(name));
    expect(forgotten).toEqual([]);
  });
});
