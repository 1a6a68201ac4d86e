import { EC2Client, AssociateAddressCommand } from '@aws-sdk/client-ec2';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { ec2 } from '../../src/ec2/index.js';
import { type Endpoint, follow, type FollowOptions, type MoveEvent, type WarningEvent } from '../../src/index.js';
import { type Lab, type LabOptions, startLab } from '../../src/lab/index.js';

let lab: Lab;
let endpoint: Endpoint;
const start = async (options: LabOptions = {}): Promise<void> => {
  lab = await startLab({ ec2: { dnsDelayMillis: 60_000 }, ...options });
};
const source = (): ReturnType<typeof ec2> => ec2({ config: lab.ec2.config });
const open = (name: string = lab.name, options: FollowOptions = {}): Endpoint => {
  endpoint = follow(name, { servers: lab.servers, resolver: ['dns', source()], ...options });
  return endpoint;
};
/** As an operator does, by another client. */
const associate = async (index: number): Promise<void> => {
  const client = new EC2Client(lab.ec2.config);
  const { allocationId: AllocationId } = lab.ec2.addresses[0]!;
  await client.send(new AssociateAddressCommand({ AllocationId, InstanceId: lab.ec2.instances[index]!.instanceId }));
  client.destroy();
};
const describes = (): number => lab.ec2.calls.filter(({ action }) => action === 'DescribeAddresses').length;
const next = async <T>(event: string): Promise<T> =>
  await new Promise((resolve) => void (endpoint as NodeJS.EventEmitter).once(event, resolve));

afterEach(async () => {
  endpoint?.close();
  await lab.close();
});

describe('ec2() beside DNS', () => {
  it('finds the Elastic IP behind a CNAME, and takes its answer while DNS still gives the old one', async () => {
    await start();
    open();
    await endpoint.ready();
    await expect.poll(describes).toBe(1);
    lab.hosts[0]!.kill();
    await associate(1);
    const moved = next<MoveEvent>('move');
    endpoint.connect(lab.port).on('error', () => {});
    expect(await moved).toMatchObject({
      from: [lab.hosts[0]!.address],
      to: [lab.hosts[1]!.address],
      source: 'ec2 DescribeAddresses',
    });
    expect(lab.dns.answer.a).toEqual([lab.hosts[0]!.address]);
  });

  it.each(['the name of the Elastic IP itself', 'an allocation id'])('works alone with %s', async (kind) => {
    await start();
    const { allocationId } = lab.ec2.addresses[0]!;
    const byId = ec2({ allocationId, config: lab.ec2.config });
    if (kind === 'an allocation id') open('whatever.example.com', { resolver: byId });
    else open(lab.publicName, { resolver: source() });
    expect((await endpoint.ready()).addresses).toEqual([lab.hosts[0]!.address]);
  });

  it('says what it lacks where the name leads to no Elastic IP', async () => {
    await start({ name: 'db.example.com', publicName: 'db.internal', publicAddress: '203.0.113.1' });
    open(lab.name, { resolver: source() });
    await expect(endpoint.ready()).rejects.toThrow(/allocationId/);
  });

  it('says once that its permission is missing, and DNS goes on', async () => {
    await start();
    lab.ec2.deny('DescribeAddresses');
    const warnings: WarningEvent[] = [];
    open(lab.name, { intervalMillis: 100 }).on('warning', (warning) => warnings.push(warning));
    await endpoint.ready();
    await expect.poll(() => warnings.length).toBe(1);
    expect(warnings[0]).toMatchObject({
      code: 'SOURCE_ASIDE',
      message: expect.stringContaining('ec2:DescribeAddresses is missing') as unknown,
    });
    lab.hosts[0]!.kill();
    endpoint.connect(lab.port).on('error', () => {});
    await next('down');
    const moved = next<MoveEvent>('move');
    await lab.move(lab.hosts[1]!);
    expect(await moved).toMatchObject({ to: [lab.hosts[1]!.address] });
    expect([describes(), warnings.length]).toEqual([1, 1]);
  });

  it('is shared by the endpoints of a process, which ask together', async () => {
    await start();
    const shared = source();
    const endpoints = [1, 2, 3].map(() => follow(lab.publicName, { resolver: shared }));
    for (const each of endpoints) expect((await each.ready()).addresses).toEqual([lab.hosts[0]!.address]);
    expect(describes()).toBe(1);
    for (const each of endpoints) each.close();
  });

  it('does not hold a question that EC2 never answers for longer than its time', async () => {
    await start();
    const hanging = { ...lab.ec2.config, requestHandler: { handle: () => new Promise(() => {}) } };
    open(lab.publicName, { resolver: ec2({ timeoutMillis: 100, config: hanging }) });
    await expect(endpoint.ready()).rejects.toMatchObject({ code: 'LOOKUP_TIMEOUT' });
  });
});

describe('a move that the API tells first', () => {
  it('is on the new server while DNS still names the old one', async () => {
    await start();
    open();
    const first = endpoint.connect(lab.port);
    await once(first, 'connect');
    await expect.poll(describes).toBe(1);
    first.on('error', () => {});
    await associate(1);
    lab.hosts[0]!.kill();
    await next('move');
    const replied = lab.ec2.calls.at(-1)!;
    const socket = endpoint.connect(lab.port);
    await once(socket, 'connect');
    expect(replied).toMatchObject({ action: 'DescribeAddresses', error: null });
    expect(socket.dialledAddress).toBe(lab.hosts[1]!.address);
    expect(lab.dns.answer.a).toEqual([lab.hosts[0]!.address]);
  });
});

describe('a wrong option of ec2()', () => {
  it.each([
    [{ allocationId: 'i-1' }, /ec2\.allocationId: expected an allocation id/],
    [{ allocationid: 'eipalloc-1' }, /did you mean ec2\.allocationId\?/],
    [{ timeoutMillis: 0 }, /ec2\.timeoutMillis/],
    [{ config: 'x' }, /ec2\.config/],
  ])('%j is an error that names it', async (options, message) => {
    await start();
    expect(() => ec2(options as never)).toThrow(message);
  });
});
