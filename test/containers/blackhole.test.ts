import { Network, type StartedNetwork } from 'testcontainers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type MoveEvent, outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { next, settled } from '../pg/support.js';
import { type ContainerDatabase, startContainers } from './container-database.js';
import { type DriverOptions, DRIVERS, type DriverPool } from './driver.js';
import { suiteFor } from './suite.js';

/** Here the name answers the containers' own addresses: between client and server there is no process that could answer. */
for (const driver of DRIVERS) {
  await suiteFor(`${driver.name} with ${driver.server.kind} at the container’s own address`, [driver.server], () => {
    let network: StartedNetwork;
    let lab: Lab;
    let databases: readonly ContainerDatabase[];
    let pool: DriverPool;
    let addresses: readonly (string | null)[];
    let ids: readonly string[];

    beforeAll(async () => {
      network = await new Network().start();
    }, 60_000);
    afterAll(async () => {
      await network?.stop();
    }, 60_000);
    // Each test loses its first server for good.
    beforeEach(async ({ skip }) => {
      ({ lab, databases } = await startContainers(driver.server, 2, network));
      addresses = await Promise.all(databases.map((database) => database.ownAddress()));
      const [own] = addresses;
      if (own == null || addresses.includes(null)) return skip('the containers’ network is not on this machine');
      ids = await Promise.all(databases.map((database) => database.identity()));
      lab.dns.setAnswer({ a: [own] });
      pool = open({ failover: { drainMillis: 60_000 } });
      const leases = await Promise.all(Array.from({ length: 3 }, () => pool.lease()));
      for (const lease of leases) lease.release();
    }, 180_000);
    afterEach(async () => {
      await pool?.end();
      await lab?.close();
    }, 60_000);

    function open(options: DriverOptions): DriverPool {
      return driver.open({ name: lab.name, servers: lab.servers, port: driver.server.port }, options);
    }

    async function move(): Promise<void> {
      const seen = next<MoveEvent>(pool.endpoint, 'move');
      lab.dns.setAnswer({ a: [addresses[1]!] });
      expect(await seen).toMatchObject({ from: [addresses[0]], to: [addresses[1]] });
    }

    it('its packets get lost and the name moves: it is found dead, what was in flight ends, nobody waits for it', async () => {
      const lease = await pool.lease();
      expect(await lease.server()).toBe(ids[0]);
      const inFlight = settled(lease.sleep());
      await databases[0]!.disconnect();
      await move();
      expect(await pool.server()).toBe(ids[1]);
      const { error } = await inFlight;
      expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
      expect(outcomeOf(error)).toBe('unknown');
      lease.release();
    }, 30_000);

    it('its packets get lost and the name stays: what was in flight is cut, callers wait for the move', async () => {
      const lease = await pool.lease();
      const inFlight = settled(lease.sleep());
      await databases[0]!.disconnect();
      expect((await inFlight).error).toMatchObject({ code: 'ADDRESS_DEAD' });
      lease.release();
      const waiting = pool.server();
      await move();
      expect(await waiting).toBe(ids[1]);
    }, 30_000);

    it('its packets get lost while every connection is in use: they are cut when drainMillis ends', async () => {
      await pool.end();
      pool = open({ failover: { drainMillis: 300 } });
      const leases = await Promise.all([pool.lease(), pool.lease()]);
      const inFlight = leases.map((lease) => settled(lease.sleep()));
      await databases[0]!.disconnect();
      await move();
      expect(await pool.server()).toBe(ids[1]);
      for (const { error } of await Promise.all(inFlight)) expect(error).toMatchObject({ code: 'ADDRESS_LEFT' });
      for (const lease of leases) lease.release();
    }, 30_000);

    it('it is stopped and its address with it: callers wait until the name moves', async () => {
      await databases[0]!.stop();
      const waiting = Array.from({ length: 10 }, () => pool.server());
      await move();
      expect(await Promise.all(waiting)).toEqual(Array(10).fill(ids[1]));
    }, 30_000);
  });
}
