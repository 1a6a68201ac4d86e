import dns from 'node:dns';
import { MYSQL_READ, READ, type Target } from '../failover/client.js';
import { serve, sharedNow } from '../failover/rpc.js';

/** The bare limit: what a failover costs somebody who is told the instant of the move and does nothing else. */
export interface BareMethods {
  /** The first connections of a process are slow; these are not measured. */
  warm(target: Target): Promise<void>;
  /** Resolve, connect, authenticate, one query, again and again until it is this server that answers; milliseconds. */
  go(argument: { readonly target: Target; readonly server: number }): Promise<number>;
}

const WARM_UPS = 5;
const DEADLINE_MILLIS = 15_000;

/** Resolves to the port of the database server. */
async function reach(target: Target): Promise<number> {
  const { name, dnsServers, kind } = target;
  const resolver = new dns.promises.Resolver();
  resolver.setServers(dnsServers);
  const [host] = await resolver.resolve4(name);
  return await (kind === 'mariadb' ? askMysql(target, host!) : askPostgres(target, host!));
}

async function askPostgres({ port, user, password, database }: Target, host: string): Promise<number> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ host, port, user, password, database });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ port: number }>(READ);
  void client.end().catch(() => {});
  return rows[0]!.port;
}

async function askMysql({ port, user, password, database }: Target, host: string): Promise<number> {
  const { createConnection } = await import('mysql2/promise');
  const client = await createConnection({ host, port, user, password, database });
  const [rows] = await client.query(MYSQL_READ);
  void client.end().catch(() => {});
  return (rows as { port: number }[])[0]!.port;
}

serve<BareMethods>(
  {
    async warm(target) {
      for (let i = 0; i < WARM_UPS; i++) await reach(target);
    },

    async go({ target, server }) {
      const begunAt = sharedNow();
      for (;;) {
        const port = await reach(target).catch(() => null); // starting, or the flicker named the old one
        const millis = sharedNow() - begunAt;
        if (port === server) return millis;
        if (millis > DEADLINE_MILLIS) throw new Error(`the new server was not reached in ${DEADLINE_MILLIS} ms`);
      }
    },
  },
  async () => {},
);
