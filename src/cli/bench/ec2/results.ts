import { messageOf } from '../../../errors.js';
import { drawMedian } from '../measure.js';
import { table } from '../markdown.js';
import type { Row } from '../matrix.js';
import { versionOf } from '../clients.js';
import { machine } from '../record.js';
import type { Recording } from '../recording.js';
import { median } from '../statistics.js';
import type { Plan } from './options.js';
import { BEFORE_MILLIS, GRACE_MILLIS, type SwitchRecord } from './switches.js';

/** What `report` reads, and what only a real switch has. */
export interface Ec2Recording extends Recording {
  readonly switches: readonly Omit<SwitchRecord, 'runs'>[];
}

const TITLE = 'switched';
const DESCRIPTION = 'the Elastic IP is associated with the other instance; the old server stays alive';

/** The table for people: t = 0 is when EC2 accepted the call. */
export function markdown(plan: Plan, switches: readonly SwitchRecord[]): string {
  const { cpus, cpu, os, node } = machine();
  const dns = switches.map(({ dnsMillis }) => dnsMillis);
  const [middle, worst] = [median(dns), Math.max(...dns)].map((millis) => millis.toFixed(0));
  return [
    `${cpus} × ${cpu}, ${os}, Node ${node}`,
    `${switches.length} switches, ${plan.ratePerSecond} statements a second, watched ${plan.watchedMillis} ms.`,
    'Milliseconds since EC2 accepted the call: median (best–worst) × the bare limit, which is to ask for the new answer, log in and ask once.',
    `DNS had the new answer after ${middle} ms (worst ${worst}).`,
    '',
    table(rowsOf(plan, switches)),
    '',
  ].join('\n');
}

export function recording(plan: Plan, switches: readonly SwitchRecord[], startedAt: Date): Ec2Recording {
  const bare = switches.map(({ bareMillis }) => bareMillis);
  const mysql = plan.url.protocol === 'mysql:';
  return {
    version: 1,
    startedAt: startedAt.toISOString(),
    machine: machine(),
    versions: versionsOf(mysql ? 'mysql2' : 'pg'),
    settings: {
      runs: switches.length,
      ratePerSecond: plan.ratePerSecond,
      beforeMillis: BEFORE_MILLIS,
      watchedMillis: plan.watchedMillis,
      graceMillis: GRACE_MILLIS,
    },
    faults: [
      {
        fault: TITLE,
        description: DESCRIPTION,
        bareMillis: mysql ? [] : bare,
        ...(mysql ? { bareMysqlMillis: bare } : {}),
        clients: rowsOf(plan, switches).map(({ client, runs }) => ({
          client,
          database: mysql ? 'mysql' : 'postgres',
          runs,
        })),
      },
    ],
    switches: switches.map(({ from, to, callMillis, dnsMillis, bareMillis }) => ({
      from,
      to,
      callMillis,
      dnsMillis,
      bareMillis,
    })),
  };
}

function rowsOf({ contenders, url, ratePerSecond: rate }: Plan, switches: readonly SwitchRecord[]): Row[] {
  return contenders.map(({ label }, i) => ({
    title: TITLE,
    fault: 'alive',
    rate,
    client: label,
    kind: url.protocol === 'mysql:' ? 'mariadb' : 'embedded-postgres',
    bareMillis: switches.map(({ bareMillis }) => bareMillis),
    runs: drawMedian(switches.map(({ runs }) => runs[i]!)),
  }));
}

function versionsOf(driver: string): Readonly<Record<string, string>> {
  try {
    return { [driver]: versionOf(driver) };
  } catch (error) {
    return { [driver]: messageOf(error) };
  }
}
