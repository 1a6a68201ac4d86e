import { type Lab, startLab } from '../../lab/index.js';
import type { Target } from './client.js';
import { type Fault, inflict } from './fault.js';
import type { Change } from './operation.js';
import { serve } from './rpc.js';

/** The lab in a process of its own, so that its proxies slow no client's event loop. */
export interface LabMethods {
  start(): Promise<Target>;
  inflict(fault: Fault): Promise<Change>;
  /** All hosts are well, and the name stays where it is. */
  heal(): Promise<void>;
}

const LEDGER = `
  create table ledger (id text not null);
  grant select, insert on ledger to app`;

let lab: Lab | undefined;

function started(): Lab {
  if (lab === undefined) throw new Error('start comes first');
  return lab;
}

const methods: LabMethods = {
  async start() {
    lab = await startLab({ databases: 'embedded-postgres' });
    await Promise.all(lab.hosts.map((host) => host.database.query(LEDGER)));
    const { name, port, servers, connection } = lab;
    if (connection === null) throw new Error('the lab has no connection');
    return { name, port, dnsServers: servers, ...connection };
  },

  async inflict(fault) {
    return await inflict(fault, started());
  },

  async heal() {
    await Promise.all(started().hosts.map((host) => host.restore()));
  },
};

serve<LabMethods>(methods, async () => {
  await lab?.close();
});
