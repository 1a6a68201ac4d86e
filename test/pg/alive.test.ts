import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool } from '../../src/pg/index.js';
import { configOf, fill, makePool, moved, resetLab, settled, startServers } from './support.js';

/** Asked often, so that a server that is found dead without a reason is found dead soon. */
const IMPATIENT = { silenceMillis: 250, probeTimeoutMillis: 500, replay: 'none' } as const;
const LONG = 'select pg_sleep(4)';

let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  if (pool !== undefined && !pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

describe('a statement that takes long on a healthy server ends well', () => {
  it.each([
    [
      'takes long',
      (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 1_500, lab.connection!.password)),
    ],
    ['fails', (): Promise<string> => Promise.reject(new Error('the token service is down'))],
  ])('while the password for a new connection %s', async (_what, later) => {
    let password = (): Promise<string> => Promise.resolve(lab.connection!.password);
    pool = makePool(lab, { max: 1, password: () => password(), failover: IMPATIENT });
    await fill(pool);
    password = later;
    expect((await settled(pool.query(LONG))).error).toBeUndefined();
    expect(pool.endpoint!.state).toBe('steady');
  });

  it('while a single client’s password could not be had again', async () => {
    let good = true;
    const password = (): Promise<string> =>
      good ? Promise.resolve(lab.connection!.password) : Promise.reject(new Error('the token service is down'));
    const client = new Client({ ...configOf(lab), password, failover: IMPATIENT });
    await client.connect();
    good = false;
    expect((await settled(client.query(LONG))).error).toBeUndefined();
    await client.end();
  });

  it('while a login would take longer than the callers of the pool wait', async () => {
    pool = makePool(lab, { max: 1, connectionTimeoutMillis: 300, failover: IMPATIENT });
    await fill(pool);
    lab.hosts[0]!.slow(100);
    expect((await settled(pool.query(LONG))).error).toBeUndefined();
  });

  it('while the server takes two seconds to look at whoever connects', async () => {
    const { database } = lab.hosts[0]!;
    const delay = async (seconds: number): Promise<void> => {
      await database.query(`alter system set pre_auth_delay = ${seconds}`);
      await database.query('select pg_reload_conf()');
    };
    pool = makePool(lab, { max: 1, failover: { replay: 'none' } });
    await fill(pool, 1);
    await delay(2);
    expect((await settled(pool.query('select pg_sleep(7)'))).error).toBeUndefined();
    await delay(0);
  });

  it('though the name moves, where it may drain for long and the answers come late', async () => {
    const follow = { intervalMillis: 100 };
    pool = makePool(lab, { max: 3, follow, failover: { ...IMPATIENT, drainMillis: 20_000 } });
    await fill(pool);
    lab.hosts[0]!.slow(150);
    const work = Promise.all([1, 2].map(() => settled(pool.query('select pg_sleep(1.5)'))));
    const move = moved(pool);
    await lab.move(lab.hosts[1]!);
    await move;
    expect((await work).map(({ error }) => error)).toEqual([undefined, undefined]);
  });
});

describe('all connections are lost at once, and the server lives', () => {
  it('what waits on them is cut, new work goes on, and a statement that takes long is not cut', async () => {
    pool = makePool(lab, { max: 5, failover: { replay: 'none' } });
    await fill(pool);
    await lab.hosts[0]!.loseFlows();
    const hung = await Promise.all([1, 2, 3, 4, 5].map(() => settled(pool.query('select 1'))));
    for (const { error } of hung) expect([error?.code, outcomeOf(error)]).toEqual(['CONNECTION_LOST', 'unknown']);
    expect((await settled(pool.query(LONG))).error).toBeUndefined();
    expect(pool.endpoint!.generation).toBe(0);
  });
});

describe('every connection is leased on a server that falls silent, and the name moves', () => {
  it('the leases are cut long before they would have drained', async () => {
    const follow = { intervalMillis: 100 };
    pool = makePool(lab, { max: 2, follow, failover: { drainMillis: 20_000, replay: 'none' } });
    await fill(pool);
    lab.hosts[0]!.stall();
    const hung = Promise.all([1, 2].map(() => settled(pool.query('select 1'))));
    await lab.move(lab.hosts[1]!);
    for (const { error } of await hung) expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
    expect(pool.endpoint!.generation).toBe(1);
  });
});
