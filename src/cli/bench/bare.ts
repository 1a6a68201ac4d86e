import dns from 'node:dns';
import pg from 'pg';
import { READ, type Target } from '../failover/client.js';
import { serve, sharedNow } from '../failover/rpc.js';

/** The bare limit: what a failover costs somebody who is told the instant of the move and does nothing else. */
export interface BareMethods {
  /** The first connections of a process are slow; these are not measured. */
  warm(target: Target): Promise<void>;
  /** Resolve, connect, authenticate, one query; milliseconds. */
  go(target: Target): Promise<number>;
}

const WARM_UPS = 5;

async function reach({ name, port, dnsServers, user, password, database }: Target): Promise<number> {
  const begunAt = sharedNow();
  const resolver = new dns.promises.Resolver();
  resolver.setServers(dnsServers);
  const [host] = await resolver.resolve4(name);
  const client = new pg.Client({ host: host!, port, user, password, database });
  await client.connect();
  await client.query(READ);
  const millis = sharedNow() - begunAt;
  await client.end();
  return millis;
}

serve<BareMethods>(
  {
    async warm(target) {
      for (let i = 0; i < WARM_UPS; i++) await reach(target);
    },
    go: reach,
  },
  async () => {},
);
