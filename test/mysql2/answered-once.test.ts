import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions } from '../../src/mysql2/index.js';
import { end, makePool, onServers, resetLab, startServers } from './support.js';

const CALLERS = 60;

onServers('a caller of mysql2’s pool is answered once, and a statement runs once', () => {
  let lab: Lab;
  let pool: Pool;

  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    const { database } = lab.hosts[0]!;
    await database.query('create table written (id int)');
    await database.query("grant all on app.* to few@'%' identified by 'few' with max_user_connections 3");
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    await lab.hosts[0]!.database.query('truncate written');
  });
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  async function expectTruth(told: readonly (readonly (Error | null)[])[]): Promise<void> {
    const found = await lab.hosts[0]!.database.query<{ id: number; n: number }>(
      'select id, count(*) as n from written group by id',
    );
    const written = new Map(found.map(({ id, n }) => [id, n]));
    for (const [id, answers] of told.entries()) {
      expect(answers, `caller ${id}`).toHaveLength(1);
      const [error] = answers;
      const expected = error == null ? 1 : outcomeOf(error) === 'not-sent' ? 0 : undefined;
      if (expected !== undefined) expect(written.get(id) ?? 0, `caller ${id}: ${error?.message}`).toBe(expected);
    }
    expect([...written.values()].filter((n) => n > 1)).toEqual([]);
  }

  const ways: readonly ['query' | 'execute', PoolOptions][] = [
    ['query', {}],
    ['execute', {}],
    ['query', { failover: { role: 'writable' } }],
  ];
  it.each(ways)('on a server that has no free session for half of the pool: %s, %j', async (method, extra) => {
    pool = makePool(lab, { user: 'few', password: 'few', connectionLimit: 8, ...extra });
    const told = Array.from({ length: CALLERS }, (): (Error | null)[] => []);
    await Promise.all(
      told.map(
        async (answers, id) =>
          await new Promise<void>((resolve) => {
            pool[method]({ sql: 'insert into written values (?)', values: [id] }, (error) => {
              answers.push(error);
              resolve();
            });
          }),
      ),
    );
    await expectTruth(told);
  });
});
