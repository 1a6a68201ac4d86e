import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/mysql2/index.js';
import { end, fill, makePool, onServers, portOf, resetLab, serverOf, settled, startServers } from './support.js';

const IMPATIENT = { silenceMillis: 250, probeTimeoutMillis: 500 };

onServers('a server of MySQL’s protocol, while its name stays', () => {
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

  it.each([
    ['a host that answers nothing', async () => lab.hosts[0]!.stall(), () => lab.hosts[0]!.restore()],
    ['a stopped process', () => lab.hosts[0]!.database.suspend(), () => lab.hosts[0]!.database.resume()],
  ])('that falls silent, %s: what waits is cut, and who comes then waits', async (_, silence, recover) => {
    pool = makePool(lab, { connectionLimit: 2 });
    await fill(pool, 2);
    await silence();
    const { error } = await settled(pool.promise().query('do 1'));
    expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
    const later = serverOf(pool);
    await recover();
    expect(await later).toBe(portOf(lab, 0));
  });

  it('that works on a long statement is left alone', async () => {
    pool = makePool(lab, { connectionLimit: 1, failover: IMPATIENT });
    await fill(pool, 1);
    expect((await settled(pool.promise().query('select sleep(3)'))).error).toBeUndefined();
  });
});
