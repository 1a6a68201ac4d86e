import { afterEach, describe, expect, it } from 'vitest';
import { addressOf, ElasticIp, publicName, regionOf, type SettleStep } from '../../src/ec2/index.js';
import { type Lab, type LabEc2Options, startLab } from '../../src/lab/index.js';

let lab: Lab;
const start = async (ec2: LabEc2Options | true = true): Promise<void> => {
  lab = await startLab({ ec2 });
};
const options = (): { config: object } => ({ config: lab.ec2.config });
const held = (): ElasticIp => new ElasticIp(lab.ec2.addresses[0]!.allocationId, options());
const dns = (): { servers: readonly string[] } => ({ servers: lab.servers });
afterEach(async () => {
  await lab?.close();
});

describe('the DNS name of an Elastic IP', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['us-east-1', 'ec2-75-101-137-243.compute-1.amazonaws.com'],
    ['eu-west-1', 'ec2-75-101-137-243.eu-west-1.compute.amazonaws.com'],
    ['us-gov-west-1', 'ec2-75-101-137-243.us-gov-west-1.compute.amazonaws.com'],
    ['cn-north-1', 'ec2-75-101-137-243.cn-north-1.compute.amazonaws.com.cn'],
    ['eusc-de-east-1', 'ec2-75-101-137-243.eusc-de-east-1.compute.amazonaws.eu'],
    ['us-iso-east-1', 'ec2-75-101-137-243.us-iso-east-1.compute.c2s.ic.gov'],
    ['us-isob-east-1', 'ec2-75-101-137-243.us-isob-east-1.compute.sc2s.sgov.gov'],
    ['us-isof-south-1', 'ec2-75-101-137-243.us-isof-south-1.compute.csp.hci.ic.gov'],
    ['eu-isoe-west-1', 'ec2-75-101-137-243.eu-isoe-west-1.compute.cloud.adc-e.uk'],
  ];
  it.each(forms)('in %s is %s, and leads back to the address and the Region', (region, name) => {
    expect(publicName('75.101.137.243', region)).toBe(name);
    expect([addressOf(name), regionOf(name)]).toEqual(['75.101.137.243', region]);
    expect(addressOf(`${name.toUpperCase()}.`)).toBe('75.101.137.243');
  });

  it.each(['db.example.com', 'ec2-1-2-3-400.compute-1.amazonaws.com', 'ip-10-0-0-1.ec2.internal'])(
    '%s is none',
    (name) => {
      expect(addressOf(name)).toBeNull();
    },
  );

  it('is made of an address and a Region only', () => {
    expect(() => publicName('fd00::1', 'us-east-1')).toThrow(/IPv4/);
    expect(() => publicName('75.101.137.243', 'Ireland')).toThrow(/Region/);
  });
});

describe('an Elastic IP', () => {
  it('is allocated, described, associated, moved, disassociated and released', async () => {
    await start({ allocated: false, apiDelayMillis: 50 });
    const elasticIp = await ElasticIp.allocate(options());
    expect(await elasticIp.describe()).toMatchObject({ publicIp: lab.publicAddress, association: null, tags: {} });
    expect(await elasticIp.publicName()).toBe(lab.publicName);

    const [first, second] = lab.ec2.instances;
    // Before its first association the name has the public answer, so DNS is not waited for.
    const associated = await elasticIp.associate({ instanceId: first!.instanceId }, dns());
    expect(associated.privateAddress).toBe(lab.hosts[0]!.address);
    expect(await elasticIp.describe()).toMatchObject({
      association: { associationId: associated.associationId, instanceId: first!.instanceId },
    });
    await elasticIp.associate({ networkInterfaceId: second!.networkInterfaceId }, dns());
    expect(lab.current).toBe(lab.hosts[1]);

    await expect(elasticIp.release()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await elasticIp.disassociate();
    await elasticIp.disassociate();
    await elasticIp.release();
    expect(await ElasticIp.list(options())).toEqual([]);
  });

  it.each(['allocation id', 'address', 'DNS name'])('is found by its %s', async (kind) => {
    await start();
    const { allocationId, publicIp } = lab.ec2.addresses[0]!;
    const text = { 'allocation id': allocationId, address: publicIp, 'DNS name': lab.publicName }[kind]!;
    expect(await new ElasticIp(text, options()).describe()).toMatchObject({ allocationId, publicIp });
  });

  it('can be given to whatever has a private address', async () => {
    await start();
    await held().associate({ privateAddress: lab.hosts[1]!.address }, dns());
    expect(lab.current).toBe(lab.hosts[1]);
    await expect(held().associate({ privateAddress: '10.9.9.9' }, dns())).rejects.toThrow(/no network interface/);
  });

  it.each([null, undefined, 'i-1', {}, { instance: 'i-1' }])('cannot be given to %o', async (target) => {
    await start();
    await expect(held().associate(target as never, dns())).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('an object with instanceId, networkInterfaceId, privateAddress') as unknown,
    });
  });

  it('stays where it is where it may not be taken away', async () => {
    await start();
    const { instanceId } = lab.ec2.instances[1]!;
    await expect(held().associate({ instanceId }, { ...dns(), allowReassociation: false })).rejects.toMatchObject({
      code: 'ALREADY_ASSOCIATED',
    });
    expect(lab.current).toBe(lab.hosts[0]);
  });

  it('is waited for until the API, DNS, the port and the database follow', async () => {
    await start({ apiDelayMillis: 100, dnsDelayMillis: 300 });
    const { instanceId } = lab.ec2.instances[1]!;
    const live: SettleStep['kind'][] = [];
    let logins = 0;
    const { steps } = await held().associate(
      { instanceId },
      {
        name: lab.name,
        servers: lab.servers,
        port: lab.port,
        database: async (address) => {
          expect(address).toBe(lab.hosts[1]!.address);
          if (++logins < 3) throw new Error('the database system is starting up');
        },
        onStep: ({ kind }) => live.push(kind),
      },
    );
    expect(live[0]).toBe('api');
    expect(live.toSorted()).toEqual(['api', 'database', 'dns', 'port']);
    expect(steps.map(({ kind }) => kind)).toEqual(live);
    expect(steps.every(({ address }) => address === lab.hosts[1]!.address)).toBe(true);
  });

  it('says what did not follow within the deadline', async () => {
    await start({ dnsDelayMillis: 60_000 });
    const { instanceId } = lab.ec2.instances[1]!;
    const late = held().associate({ instanceId }, { ...dns(), deadlineMillis: 1_000 });
    await expect(late).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message: expect.stringContaining(`(it answers ${lab.hosts[0]!.address})`) as unknown,
    });
    lab.hosts[1]!.refuse();
    const refused = held().associate({ instanceId }, { name: false, port: lab.port, deadlineMillis: 1_000 });
    await expect(refused).rejects.toThrow(/to accept a connection/);
  });

  it('is not touched by a dry run, which tells why it would not work', async () => {
    await start();
    const { instanceId } = lab.ec2.instances[1]!;
    await held().checkAssociate({ instanceId });
    await held().checkDisassociate();
    await ElasticIp.checkAllocate(options());
    await expect(held().checkRelease()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await expect(held().checkAssociate({ instanceId: 'i-0' })).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
    lab.ec2.deny('AssociateAddress');
    await expect(held().checkAssociate({ instanceId })).rejects.toMatchObject({ code: 'API_UNAUTHORIZED' });
    expect(lab.current).toBe(lab.hosts[0]);
  });

  it('gets through a throttle and a failing service by the retries of the SDK', async () => {
    await start();
    lab.ec2.fail({ code: 'InternalError', status: 500, times: 1 });
    expect(await held().describe()).toMatchObject({ publicIp: lab.publicAddress });
    lab.ec2.fail({ code: 'RequestLimitExceeded', status: 503, times: 1 });
    expect(await held().describe()).toMatchObject({ publicIp: lab.publicAddress });
  });
});

describe('what EC2 has done and does not show', () => {
  /** Every failure is heard, rather than tried again by the SDK. */
  const unretried = (): { config: object } => ({
    config: { ...lab.ec2.config, retryMode: 'standard', maxAttempts: 1 },
  });
  const fresh = (): ElasticIp => new ElasticIp(lab.ec2.addresses[0]!.allocationId, unretried());

  it('an address that was allocated is named in the error of allocate(), which may not describe it', async () => {
    await start();
    lab.ec2.deny('DescribeAddresses');
    const [known] = lab.ec2.addresses;
    const error = await ElasticIp.allocate(unretried()).catch((thrown: unknown) => thrown);
    const { allocationId } = lab.ec2.addresses.find((address) => address !== known)!;
    expect(error).toMatchObject({
      code: 'API_UNAUTHORIZED',
      message: expect.stringContaining(`new ElasticIp('${allocationId}')`) as unknown,
    });
  });

  it('and by the deadline where describing goes on failing', async () => {
    await start();
    lab.ec2.fail({ code: 'InternalError', status: 500, action: 'DescribeAddresses' });
    const [known] = lab.ec2.addresses;
    const error = await ElasticIp.allocate({ ...unretried(), deadlineMillis: 1_000 }).catch(
      (thrown: unknown) => thrown,
    );
    const { allocationId } = lab.ec2.addresses.find((address) => address !== known)!;
    expect(error).toMatchObject({ code: 'NOT_SETTLED', message: expect.stringContaining(allocationId) as unknown });
  });

  it.each([
    ['a failing service', 'InternalError', 500],
    ['a throttle', 'RequestLimitExceeded', 503],
  ])('an association that was accepted is waited for through %s', async (_what, code, status) => {
    await start();
    const { instanceId } = lab.ec2.instances[1]!;
    lab.ec2.fail({ code, status, action: 'DescribeAddresses', times: 2 });
    const { associationId } = await fresh().associate({ instanceId }, { name: false });
    expect(lab.ec2.addresses[0]!.association).toMatchObject({ associationId, instanceId });
    expect(lab.ec2.calls.filter(({ error }) => error === code)).toHaveLength(2);
  });

  it('is waited for until the deadline where the service goes on failing, or the database never answers', async () => {
    await start();
    const { instanceId } = lab.ec2.instances[1]!;
    const hung = fresh().associate(
      { instanceId },
      { name: false, deadlineMillis: 1_000, database: () => new Promise(() => {}) },
    );
    await expect(hung).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message: expect.stringContaining(`the database at ${lab.hosts[1]!.address} to answer`) as unknown,
    });
    lab.ec2.fail({ code: 'InternalError', status: 500, action: 'DescribeAddresses' });
    const failing = fresh().associate({ instanceId }, { name: false, deadlineMillis: 1_000 });
    await expect(failing).rejects.toMatchObject({ code: 'NOT_SETTLED' });
  });
});

describe('a call to an API that hangs', () => {
  let sent: number;
  const hanging = (): { region: string; config: object } => {
    sent = 0;
    const handle = (): Promise<never> => {
      sent++;
      return new Promise(() => {});
    };
    const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
    return { region: 'us-east-1', config: { credentials, requestHandler: { handle } } };
  };
  const target = { instanceId: 'i-1' };
  const waits = { name: false, deadlineMillis: 300 } as const;

  it.each([
    ['AssociateAddress', 'eipalloc-1'],
    ['DescribeAddresses, before it', '75.101.137.243'],
  ])('associate() ends at deadlineMillis, in %s', async (_action, id) => {
    await expect(new ElasticIp(id, hanging()).associate(target, waits)).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message: expect.stringMatching(
        /within 300 ms \(deadlineMillis\).*is not known: describe\(\) shows it/,
      ) as unknown,
    });
    expect(sent).toBe(1);
  });

  it.each([
    ['disassociate', (one: ElasticIp) => one.disassociate({ deadlineMillis: 300 })],
    ['release', (one: ElasticIp) => one.release({ deadlineMillis: 300 })],
  ])('%s() ends at deadlineMillis', async (_method, call) => {
    await expect(call(new ElasticIp('eipalloc-1', hanging()))).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message: expect.stringMatching(/within 300 ms .*whether it was done is not known/) as unknown,
    });
    expect(sent).toBe(1);
  });

  it('allocate() ends at deadlineMillis, and says how to find what may have been allocated', async () => {
    await expect(ElasticIp.allocate({ ...hanging(), deadlineMillis: 300 })).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message: expect.stringContaining('ElasticIp.list() shows it') as unknown,
    });
  });
});
