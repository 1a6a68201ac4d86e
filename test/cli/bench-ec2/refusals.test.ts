import { AllocateAddressCommand, AssociateAddressCommand, CreateTagsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { EipPoolBench, switchesOf } from './support.js';

let lab: Lab;
let client: EC2Client;
beforeEach(async () => {
  lab = await startLab({ ec2: true });
  client = new EC2Client(lab.ec2.config);
});
afterEach(async () => {
  client.destroy();
  await lab.close();
});

const tagged = (id: string): Promise<unknown> =>
  client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'eip-pool:protected', Value: 'false' }] }));

describe('bench failover --ec2 touches nothing', () => {
  it.each([
    ['the Elastic IP', () => lab.ec2.addresses[0]!.allocationId],
    ['the instance that it is on', () => lab.ec2.instances[0]!.instanceId],
    ['the instance that it would go to', () => lab.ec2.instances[1]!.instanceId],
  ])('where %s carries the tag eip-pool:protected, whatever its value', async (_, id) => {
    await tagged(id());
    const bench = new EipPoolBench(lab, '--yes');
    expect(await bench.ended).toBe(1);
    expect(bench.error).toBe(`eip-pool: ${id()} carries the tag eip-pool:protected: it is not switched\n`);
    expect(switchesOf(lab)).toEqual([]);
  });

  it('where the other instance holds an Elastic IP that it would lose', async () => {
    const { AllocationId } = await client.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    const { instanceId } = lab.ec2.instances[1]!;
    await client.send(new AssociateAddressCommand({ AllocationId, InstanceId: instanceId }));
    const before = switchesOf(lab);
    const bench = new EipPoolBench(lab, '--yes');
    expect(await bench.ended).toBe(1);
    expect(bench.error).toContain(`${instanceId} holds another Elastic IP`);
    expect(switchesOf(lab)).toEqual(before);
  });

  it('where no database lets it in at one of the instances', async () => {
    lab.hosts[1]!.refuse();
    const bench = new EipPoolBench(lab, '--yes');
    expect(await bench.ended).toBe(1);
    expect(bench.error).toMatch(/no login at i-\w+ \(127/);
    expect(switchesOf(lab)).toEqual([]);
  });

  it.each([
    [['--instances', 'i-1,i-1'], 'expected two instances, got one twice'],
    [['--runs', '0'], '--runs: expected a whole number from 1 to 1000'],
    [['--url', 'postgres://app:top-secret@'], '--url: expected a URL'],
    [['--table', 'x; drop table orders'], '--table: expected a new table’s name'],
    [['--client', 'pgpool'], '--client: expected eip-pool, stock'],
    [['--allocatoin-id', 'eipalloc-1'], 'did you mean --allocation-id?'],
  ])('where it does not understand %j', async (args, said) => {
    const bench = new EipPoolBench(lab, '--yes', ...args);
    expect(await bench.ended).toBe(2);
    expect(bench.error).toContain(said);
    expect(bench.error).not.toContain('top-secret');
    expect(lab.ec2.calls).toEqual([]);
  });
});
