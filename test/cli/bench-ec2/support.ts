import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../src/lab/index.js';

const script = fileURLToPath(new URL('../../../dist/esm/cli/main.js', import.meta.url));

/** `eip-pool bench failover --ec2 …` as a user runs it, on the Elastic IP of a lab. */
export class EipPoolBench {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<number | null>;
  out = '';
  error = '';

  constructor(lab: Lab, ...args: string[]) {
    const { allocationId } = lab.ec2.addresses[0]!;
    const instances = lab.ec2.instances.slice(0, 2).map(({ instanceId }) => instanceId);
    const given = ['--ec2', '--allocation-id', allocationId, '--instances', instances.join(), '--url', urlOf(lab)];
    const argv = ['bench', 'failover', ...given, '--server', lab.servers[0]!, ...args];
    const env = { ...process.env, ...lab.ec2.environment };
    this.process = spawn(process.execPath, [script, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout.on('data', (chunk) => (this.out += String(chunk)));
    this.process.stderr.on('data', (chunk) => (this.error += String(chunk)));
    this.ended = once(this.process, 'close').then(([status]) => status as number | null);
  }
}

function urlOf({ connection, name, port }: Lab): string {
  const { user, password, database } = connection ?? { user: 'nobody', password: 'secret', database: 'none' };
  return `postgres://${user}:${password}@${name}:${port}/${database}`;
}

/** What really switched, or tried to: the instances or interfaces that were asked for. */
export function switchesOf(lab: Lab): string[] {
  return lab.ec2.calls
    .filter(({ action, params }) => action === 'AssociateAddress' && params['DryRun'] === undefined)
    .map(({ params }) => params['InstanceId'] ?? params['NetworkInterfaceId'] ?? '');
}

/** The instance that the Elastic IP is on. */
export function holderOf(lab: Lab): string | undefined {
  return lab.ec2.addresses[0]?.association?.instanceId;
}
