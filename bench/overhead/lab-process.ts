import type { DatabaseKind } from '../../src/cli/failover/client.js';
import { serve } from '../../src/cli/failover/rpc.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import { pin } from './pin.js';

/** Where the server is: by its name for a pool that follows, by its address for one that does not. */
export interface Server {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly dnsServers: readonly string[];
  readonly connection: { readonly user: string; readonly password: string; readonly database: string };
}

export interface LabMethods {
  start(argument: { readonly databases: DatabaseKind; readonly pinned: boolean }): Promise<Server>;
  /** How many questions its DNS server has been asked. */
  dnsQueries(): Promise<number>;
  /** The server is gone; its name stays. */
  kill(): Promise<void>;
}

/** Enough for a hundred connections that are measured, twice. */
const MAX_CONNECTIONS = { max_connections: '300' };
let lab: Lab | undefined;

serve<LabMethods>(
  {
    async start({ databases, pinned }) {
      if (pinned) pin('servers');
      lab = await startLab({
        databases,
        hosts: 1,
        postgres: { settings: MAX_CONNECTIONS },
        mariadb: { settings: MAX_CONNECTIONS },
      });
      const { address, port } = lab.hosts[0]!.database;
      // Straight to the server: the lab's proxy would cost more than what is measured.
      lab.dns.setAnswer({ a: [address] });
      return { name: lab.name, address, port, dnsServers: lab.servers, connection: lab.connection! };
    },
    async dnsQueries() {
      return lab?.dns.queries.length ?? 0;
    },
    async kill() {
      await lab?.hosts[0]!.database.kill();
    },
  },
  async () => {
    await lab?.close();
  },
);
