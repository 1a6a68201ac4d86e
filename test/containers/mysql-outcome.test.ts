import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createPool, type Pool } from '../../src/mysql2/index.js';
import { end, lease, settled } from '../mysql2/support.js';
import { type ContainerDatabase, startContainers } from './container-database.js';
import { LOGIN, MYSQL } from './server-image.js';
import { suiteFor } from './suite.js';

const SETTINGS = '/etc/mysql/conf.d/eip-pool.cnf';

await suiteFor('the outcome, as MySQL itself reports it, of', [MYSQL], () => {
  let lab: Lab;
  let database: ContainerDatabase;
  let pool: Pool;

  /** The server starts again with a setting that it takes only at its start, and only after a clean end. */
  async function restartWith(setting: string): Promise<void> {
    if (setting === '') await database.removeFile(SETTINGS);
    else await database.writeFile(SETTINGS, `[mysqld]\n${setting}\n`);
    await database.stop();
    await database.restart();
  }

  const makePool = (): Pool =>
    createPool({ host: lab.name, port: lab.port, ...LOGIN, follow: { servers: lab.servers } });
  const outcomeAfter = async (work: Promise<unknown>): Promise<unknown[]> => {
    const { error } = await settled(work);
    return [error?.code, outcomeOf(error)];
  };

  beforeAll(async () => {
    const started = await startContainers(MYSQL, 1);
    lab = started.lab;
    database = started.databases[0]!;
    await database.query(`create table t (n int)`);
  }, 180_000);
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('4031: unknown; the server ended the session for its idling, and the statement crossed its word', async () => {
    // mysql2 prints that the server spoke first.
    const printed = vi.spyOn(console, 'error').mockReturnValue();
    pool = makePool();
    const connection = await lease(pool);
    const session = `select 1 from performance_schema.threads where processlist_id = ${connection.threadId}`;
    await connection.promise().query('set session wait_timeout = 1');
    // What the server says is not read before the statement is on its way.
    const { stream } = connection as unknown as { readonly stream: Socket };
    stream.pause();
    await expect.poll(async () => (await database.query(session)).length).toBe(0);
    const crossing = outcomeAfter(connection.promise().query('insert into t values (1)'));
    stream.resume();
    expect(await crossing).toEqual(['ER_CLIENT_INTERACTION_TIMEOUT', 'unknown']);
    connection.destroy();
    printed.mockRestore();
  });

  it('1836: rejected by a server whose engine is read-only, which it says when it is asked', async () => {
    await restartWith('innodb_read_only = 1');
    try {
      pool = makePool();
      const rejected = ['ER_READ_ONLY_MODE', 'rejected'];
      expect(await outcomeAfter(pool.promise().query('create table u (n int)'))).toEqual(rejected);
      expect(await outcomeAfter(pool.promise().query('alter table t add m int'))).toEqual(rejected);
    } finally {
      await restartWith('');
    }
  }, 120_000);

  it('1836: unknown from a server under forced recovery, whose role is to take writes', async () => {
    await restartWith('innodb_force_recovery = 4');
    try {
      pool = makePool();
      const unknown = ['ER_READ_ONLY_MODE', 'unknown'];
      expect(await outcomeAfter(pool.promise().query('create table u (n int)'))).toEqual(unknown);
    } finally {
      await restartWith('');
    }
  }, 120_000);
});
