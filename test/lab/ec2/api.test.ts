import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  CreateTagsCommand,
  DescribeAccountAttributesCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVpcAttributeCommand,
  DisassociateAddressCommand,
  EC2Client,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2';
import { afterEach, describe, expect, it } from 'vitest';
import { follow } from '../../../src/index.js';
import { type Lab, type LabEc2Options, type LabOptions, startLab } from '../../../src/lab/index.js';

let lab: Lab;
let client: EC2Client;

async function start(ec2: LabEc2Options | true = true, options: LabOptions = {}): Promise<void> {
  lab = await startLab({ ...options, ec2 });
  client = new EC2Client({ ...lab.ec2.config, maxAttempts: 1 });
}
afterEach(async () => {
  client.destroy();
  await lab.close();
});

const answer = (): readonly string[] => lab.dns.answer.a;
const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.then(
    () => 'success',
    (error: Error) => error.name,
  );

describe('the unmodified SDK against the lab', () => {
  it('takes an Elastic IP through its whole life, and DNS goes along', async () => {
    await start({ allocated: false });
    const [first, second] = lab.ec2.instances;
    expect(answer()).toEqual([]);

    const { AllocationId, PublicIp, Domain } = await client.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    expect({ PublicIp, Domain }).toEqual({ PublicIp: lab.publicAddress, Domain: 'vpc' });
    expect(answer(), 'nobody holds it: the public view, inside too').toEqual([lab.publicAddress]);

    await client.send(new AssociateAddressCommand({ AllocationId, InstanceId: first!.instanceId }));
    expect(answer()).toEqual([lab.hosts[0]!.address]);
    const again = await client.send(
      new AssociateAddressCommand({ AllocationId, NetworkInterfaceId: second!.networkInterfaceId }),
    );
    expect(answer()).toEqual([lab.hosts[1]!.address]);
    expect(lab.current).toBe(lab.hosts[1]);

    const { Addresses } = await client.send(new DescribeAddressesCommand({ PublicIps: [PublicIp!] }));
    expect(Addresses).toEqual([
      expect.objectContaining({
        PublicIp,
        AllocationId,
        AssociationId: again.AssociationId,
        InstanceId: second!.instanceId,
        NetworkInterfaceId: second!.networkInterfaceId,
        PrivateIpAddress: lab.hosts[1]!.address,
        Domain: 'vpc',
      }),
    ]);

    expect(await codeOf(client.send(new ReleaseAddressCommand({ AllocationId })))).toBe('InvalidIPAddress.InUse');
    await client.send(new DisassociateAddressCommand({ AssociationId: again.AssociationId }));
    expect(answer()).toEqual([lab.publicAddress]);
    await client.send(new ReleaseAddressCommand({ AllocationId }));
    expect(answer()).toEqual([]);
    expect((await client.send(new DescribeAddressesCommand({}))).Addresses).toEqual([]);
  });

  it('describes instances, interfaces, security groups, the VPC and the quota', async () => {
    await start();
    const [first] = lab.ec2.instances;
    lab.ec2.authorizeIngress({ port: 5432, cidr: '0.0.0.0/0' });
    lab.ec2.vpc.enableDnsHostnames = false;
    const { Reservations } = await client.send(new DescribeInstancesCommand({ InstanceIds: [first!.instanceId] }));
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      InstanceId: first!.instanceId,
      PrivateIpAddress: lab.hosts[0]!.address,
      PublicIpAddress: lab.publicAddress,
      State: { Name: 'running', Code: 16 },
      Placement: { AvailabilityZone: 'us-east-1a' },
    });
    const { NetworkInterfaces } = await client.send(
      new DescribeNetworkInterfacesCommand({
        Filters: [{ Name: 'addresses.private-ip-address', Values: [lab.hosts[0]!.address] }],
      }),
    );
    expect(NetworkInterfaces).toEqual([
      expect.objectContaining({
        NetworkInterfaceId: first!.networkInterfaceId,
        AvailabilityZone: 'us-east-1a',
        Association: { PublicIp: lab.publicAddress },
        Attachment: expect.objectContaining({ InstanceId: first!.instanceId }) as unknown,
      }),
    ]);
    const [group] = NetworkInterfaces?.[0]?.Groups ?? [];
    const { SecurityGroups } = await client.send(new DescribeSecurityGroupsCommand({ GroupIds: [group!.GroupId!] }));
    expect(SecurityGroups?.[0]?.IpPermissions).toEqual([
      expect.objectContaining({ FromPort: 5432, ToPort: 5432, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }),
    ]);
    const vpc = await client.send(
      new DescribeVpcAttributeCommand({ VpcId: NetworkInterfaces?.[0]?.VpcId, Attribute: 'enableDnsHostnames' }),
    );
    expect(vpc.EnableDnsHostnames).toEqual({ Value: false });
    const quota = await client.send(new DescribeAccountAttributesCommand({}));
    expect(quota.AccountAttributes?.[0]?.AttributeValues?.[0]?.AttributeValue).toBe('5');
  });

  it('keeps the tags of Elastic IPs and instances, and shows none where there are none', async () => {
    await start();
    const { allocationId } = lab.ec2.addresses[0]!;
    const [first, second] = lab.ec2.instances;
    const Resources = [allocationId, first!.instanceId];
    const tag = (Key: string, Value?: string): Promise<unknown> =>
      client.send(new CreateTagsCommand({ Resources, Tags: [{ Key, Value }] }));
    await tag('Name', 'orders & more');
    await tag('stage', '');
    await tag('Name', 'orders');
    const Tags = [
      { Key: 'Name', Value: 'orders' },
      { Key: 'stage', Value: '' },
    ];
    const { Addresses } = await client.send(new DescribeAddressesCommand({}));
    expect(Addresses).toEqual([expect.objectContaining({ Tags })]);
    const { Reservations } = await client.send(new DescribeInstancesCommand({}));
    const tagsOf = (id: string): unknown =>
      Reservations?.flatMap(({ Instances }) => Instances ?? []).find(({ InstanceId }) => InstanceId === id)?.Tags;
    expect([tagsOf(first!.instanceId), tagsOf(second!.instanceId)]).toEqual([Tags, undefined]);
    const nobody = new CreateTagsCommand({ Resources: ['eipalloc-0'], Tags: [] });
    expect(await codeOf(client.send(nobody))).toBe('InvalidAllocationID.NotFound');
  });

  it('gives each error its code', async () => {
    await start({ addressLimit: 1 });
    const [address] = lab.ec2.addresses;
    const { allocationId: AllocationId } = address!;
    const [first, second] = lab.ec2.instances;
    const associate = (input: object): Promise<unknown> =>
      codeOf(client.send(new AssociateAddressCommand({ AllocationId, ...input })));
    const describeAddresses = (input: object): Promise<unknown> =>
      codeOf(client.send(new DescribeAddressesCommand(input)));
    const stopped = lab.ec2.addInstance({ state: 'stopped' });
    expect(await codeOf(client.send(new AllocateAddressCommand({})))).toBe('AddressLimitExceeded');
    expect(await describeAddresses({ AllocationIds: ['eipalloc-1'] })).toBe('InvalidAllocationID.NotFound');
    expect(await describeAddresses({ PublicIps: ['203.0.113.99'] })).toBe('InvalidAddress.NotFound');
    expect(await associate({ InstanceId: 'i-0' })).toBe('InvalidInstanceID.NotFound');
    expect(await associate({ NetworkInterfaceId: 'eni-0' })).toBe('InvalidNetworkInterfaceID.NotFound');
    expect(await associate({ InstanceId: stopped.instanceId })).toBe('IncorrectInstanceState');
    expect(await associate({ InstanceId: second!.instanceId, AllowReassociation: false })).toBe(
      'Resource.AlreadyAssociated',
    );
    expect(await associate({ InstanceId: first!.instanceId, AllowReassociation: false })).toBe('success');
    expect(await codeOf(client.send(new DisassociateAddressCommand({ AssociationId: 'eipassoc-0' })))).toBe(
      'InvalidAssociationID.NotFound',
    );
    expect(lab.ec2.calls.at(-1)).toMatchObject({
      action: 'DisassociateAddress',
      error: 'InvalidAssociationID.NotFound',
      params: { AssociationId: 'eipassoc-0' },
    });
  });

  it('says of a dry run whether it would have worked, and does nothing', async () => {
    await start();
    const [, second] = lab.ec2.instances;
    const dryRun = (InstanceId: string): Promise<unknown> =>
      codeOf(
        client.send(
          new AssociateAddressCommand({
            AllocationId: lab.ec2.addresses[0]!.allocationId,
            InstanceId,
            DryRun: true,
          }),
        ),
      );
    expect(await dryRun(second!.instanceId)).toBe('DryRunOperation');
    expect(await dryRun('i-0')).toBe('InvalidInstanceID.NotFound');
    lab.ec2.deny('AssociateAddress');
    expect(await dryRun(second!.instanceId)).toBe('UnauthorizedOperation');
    expect(answer()).toEqual([lab.hosts[0]!.address]);
  });

  it('throttles what reads and what writes from buckets of their own', async () => {
    await start();
    const burst = async (make: () => Promise<unknown>, count: number): Promise<unknown[]> =>
      await Promise.all(Array.from({ length: count }, () => codeOf(make())));
    const reads = await burst(() => client.send(new DescribeAddressesCommand({})), 160);
    expect(reads.filter((code) => code === 'success').length).toBeGreaterThanOrEqual(100);
    expect(reads.filter((code) => code === 'RequestLimitExceeded').length).toBeGreaterThan(0);
    const writes = await burst(() => client.send(new DisassociateAddressCommand({ AssociationId: 'x' })), 80);
    expect(writes.filter((code) => code === 'InvalidAssociationID.NotFound').length).toBeGreaterThanOrEqual(50);
    expect(writes.filter((code) => code === 'RequestLimitExceeded').length).toBeGreaterThan(0);
  });

  it('shows readers of the API and of DNS the change later, each in its own time', async () => {
    await start({ apiDelayMillis: 150, dnsDelayMillis: 300 });
    const [, second] = lab.ec2.instances;
    const target = async (): Promise<string | undefined> =>
      (await client.send(new DescribeAddressesCommand({}))).Addresses?.[0]?.PrivateIpAddress;
    await client.send(
      new AssociateAddressCommand({
        AllocationId: lab.ec2.addresses[0]!.allocationId,
        InstanceId: second!.instanceId,
      }),
    );
    expect([await target(), ...answer()]).toEqual([lab.hosts[0]!.address, lab.hosts[0]!.address]);
    await expect.poll(target).toBe(lab.hosts[1]!.address);
    await expect.poll(answer).toEqual([lab.hosts[1]!.address]);
  });

  it('fails as it is told, for as long as it is told', async () => {
    await start();
    const describeAddresses = (): Promise<unknown> => codeOf(client.send(new DescribeAddressesCommand({})));
    lab.ec2.fail({ code: 'InternalError', status: 500, action: 'DescribeAddresses', times: 1 });
    expect([await describeAddresses(), await describeAddresses()]).toEqual(['InternalError', 'success']);
    lab.ec2.fail({ code: 'AuthFailure', status: 401 });
    expect(await describeAddresses()).toBe('AuthFailure');
    lab.ec2.recover();
    expect(await describeAddresses()).toBe('success');
  });
});

describe('a lab with EC2', () => {
  it('shows its own moves in the API', async () => {
    await start();
    await lab.move(lab.hosts[1]!);
    const { Addresses } = await client.send(new DescribeAddressesCommand({}));
    expect(Addresses?.[0]?.PrivateIpAddress).toBe(lab.hosts[1]!.address);
  });

  it('moves an endpoint by an associate, as an operator would', async () => {
    await start();
    const endpoint = follow(lab.name, { servers: lab.servers, intervalMillis: 100 });
    await endpoint.ready();
    const moved = new Promise((resolve) => void endpoint.once('move', resolve));
    await client.send(
      new AssociateAddressCommand({
        AllocationId: lab.ec2.addresses[0]!.allocationId,
        InstanceId: lab.ec2.instances[1]!.instanceId,
      }),
    );
    expect(await moved).toMatchObject({ to: [lab.hosts[1]!.address] });
    endpoint.close();
  });

  it('gives further Elastic IPs names of their own, in the Region of the first', async () => {
    const told: unknown[] = [];
    await start(
      { onName: (change) => told.push(change) },
      { publicName: 'ec2-52-1-2-3.eu-west-1.compute.amazonaws.com' },
    );
    const { PublicIp, NetworkBorderGroup } = await client.send(new AllocateAddressCommand({}));
    expect(NetworkBorderGroup).toBe('eu-west-1');
    const name = `ec2-${PublicIp!.replaceAll('.', '-')}.eu-west-1.compute.amazonaws.com`;
    expect(told).toEqual([{ publicIp: PublicIp, name, answer: { private: PublicIp, public: PublicIp } }]);
    const endpoint = follow(name, { servers: lab.servers, allow: 'any' });
    expect((await endpoint.ready()).addresses).toEqual([PublicIp]);
    endpoint.close();
  });

  it('says how to get EC2 where there is none', async () => {
    await start();
    await using plain = await startLab();
    expect(() => plain.ec2).toThrow(/startLab\(\{ ec2: true \}\)/);
  });
});
