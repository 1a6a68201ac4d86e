import { serve } from '../../src/cli/failover/rpc.js';
import { type Lab, startLab } from '../../src/lab/index.js';

/** Where the server is: by its name for a pool that follows, by its address for one that does not. */
export interface Server {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly dnsServers: readonly string[];
  readonly connection: { readonly user: string; readonly password: string; readonly database: string };
}

export interface LabMethods {
  start(): Promise<Server>;
}

let lab: Lab | undefined;

serve<LabMethods>(
  {
    async start() {
      lab = await startLab({ databases: 'embedded-postgres', hosts: 1 });
      const { address, port } = lab.hosts[0]!.database;
      // Straight to the server: the lab's proxy would cost more than what is measured.
      lab.dns.setAnswer({ a: [address] });
      return { name: lab.name, address, port, dnsServers: lab.servers, connection: lab.connection! };
    },
  },
  async () => {
    await lab?.close();
  },
);
