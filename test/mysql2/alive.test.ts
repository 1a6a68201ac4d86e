import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/mysql2/index.js';
import { end, fill, makePool, onServers, resetLab, settled, startServers } from './support.js';

onServers('connections are silent, and a server of MySQL’s protocol lives:', () => {
  let lab: Lab;
  let pool: Pool;

  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
  });
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab.close();
  });

  const run = (sql: string): Promise<{ error?: Error & { code?: string } }> => settled(pool.promise().query(sql));

  it('all are lost at once: what waits on them is cut, new work goes on, and a statement that takes long is not cut', async () => {
    pool = makePool(lab, { connectionLimit: 5, failover: { replay: 'none' } });
    await fill(pool, 5);
    await lab.hosts[0]!.loseFlows();
    const hung = await Promise.all([1, 2, 3, 4, 5].map(() => run('do 1')));
    for (const { error } of hung) expect([error?.code, outcomeOf(error)]).toEqual(['CONNECTION_LOST', 'unknown']);
    expect((await run('select sleep(4)')).error).toBeUndefined();
    expect(pool.endpoint!.generation).toBe(0);
  });

  it('all are leased on a server that falls silent, and the name moves: they are cut long before they would have drained', async () => {
    const follow = { intervalMillis: 100 };
    pool = makePool(lab, { connectionLimit: 2, follow, failover: { drainMillis: 20_000, replay: 'none' } });
    await fill(pool, 2);
    lab.hosts[0]!.stall();
    const hung = Promise.all([1, 2].map(() => run('do 1')));
    await lab.move(lab.hosts[1]!);
    for (const { error } of await hung) expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
  });
});
