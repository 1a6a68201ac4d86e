import { type Lab, startLab } from '../../lab/index.js';
import type { DatabaseKind, Target } from './client.js';
import type { Fault } from './fault.js';
import type { LedgerRow } from './ledger.js';
import type { Change } from './operation.js';
import { isInNetwork } from './real-network.js';
import { serve } from './rpc.js';
import { Stage } from './scene.js';

/** The lab in a process of its own, so that its proxies slow no client's event loop. */
export interface LabMethods {
  start(kind: DatabaseKind): Promise<Started>;
  /** `hurry`: without the time between the first event of the fault and the last. */
  inflict(argument: { readonly fault: Fault; readonly hurry: boolean }): Promise<Change>;
  /** All hosts are well, and the name stays where it is. */
  heal(): Promise<void>;
  /** What both servers hold of the ids that begin so. All hosts must be well. */
  ledger(prefix: string): Promise<readonly LedgerRow[]>;
}

export interface Started {
  readonly target: Target;
  /** As the server itself says it. */
  readonly version: string;
}

const CREATE: Readonly<Record<DatabaseKind, readonly string[]>> = {
  'embedded-postgres': ['create table ledger (id text not null)', 'grant select, insert on ledger to app'],
  mariadb: ['create table ledger (id varchar(100) not null)'],
};
const VERSION: Readonly<Record<DatabaseKind, string>> = {
  'embedded-postgres': "select current_setting('server_version') as version",
  mariadb: 'select version() as version',
};
/**
 * On loopback the kernel itself refuses to dial a multicast address, so that no client's packet can leave the machine. In
 * a network namespace the public address is the Elastic IP's, and what is sent there gets lost.
 */
const UNDIALLABLE = '224.0.0.1';

let lab: Lab | undefined;
let stage: Stage | undefined;

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('start comes first');
  return part;
}

const methods: LabMethods = {
  async start(kind) {
    lab = await startLab({ databases: kind, ...(isInNetwork() ? {} : { publicAddress: UNDIALLABLE }) });
    stage = new Stage(lab, kind);
    for (const { database } of lab.hosts) for (const sql of CREATE[kind]) await database.query(sql);
    const { name, port, servers, connection, current } = lab;
    if (connection === null) throw new Error('the lab has no connection');
    const { user, password, database } = connection;
    const scheme = kind === 'mariadb' ? 'mysql' : 'postgres';
    const url = `${scheme}://${user}:${password}@${name}:${port}/${database}`;
    const [row] = await current.database.query<{ version: string }>(VERSION[kind]);
    return { target: { kind, name, port, dnsServers: servers, ...connection, url }, version: row!.version };
  },

  async inflict({ fault, hurry }) {
    return await started(stage).inflict(fault, hurry);
  },

  async heal() {
    await started(stage).heal();
  },

  async ledger(prefix) {
    const sql = `select id, count(*) as count from ledger where id like '${prefix}%' group by id`;
    const tables = started(lab).hosts.map(async ({ database }) => {
      const rows = await database.query<{ id: string; count: string | number }>(sql);
      return rows.map(({ id, count }) => ({ id, server: database.port, count: Number(count) }));
    });
    return (await Promise.all(tables)).flat();
  },
};

serve<LabMethods>(methods, async () => {
  await lab?.close();
});
