import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ElasticIp } from '../../src/ec2/index.js';
import { isEipPoolError } from '../../src/index.js';
import { type Ec2Failure, type Lab, startLab } from '../../src/lab/index.js';

let lab: Lab;
/** A client of its own each time: the SDK's adaptive mode slows one down that met a throttle. */
const held = (): ElasticIp =>
  new ElasticIp(lab.ec2.addresses[0]!.allocationId, { config: { ...lab.ec2.config, maxAttempts: 1 } });
beforeAll(async () => {
  lab = await startLab({ ec2: true });
});
beforeEach(() => {
  lab.ec2.recover();
});
afterAll(async () => {
  await lab.close();
});

const thrown = async (call: Promise<unknown>): Promise<Error> =>
  await call.then(
    () => new Error('it succeeded'),
    (error: Error) => error,
  );

/** Every error of EC2 that has a meaning for an Elastic IP; the SDK gets it from the lab as from EC2. */
const cases: readonly (readonly [Ec2Failure, string, RegExp])[] = [
  [{ code: 'RequestLimitExceeded', status: 503 }, 'API_THROTTLED', /quota of AssociateAddress calls is used up/],
  [
    { code: 'UnauthorizedOperation', status: 403, message: 'User: arn:aws:iam::1:user/app is not authorized' },
    'API_UNAUTHORIZED',
    /permission ec2:AssociateAddress is missing for arn:aws:iam::1:user\/app/,
  ],
  [{ code: 'AuthFailure', status: 401 }, 'API_CREDENTIALS', /credentials are not valid in us-east-1/],
  [{ code: 'DryRunOperation', status: 412 }, 'DRY_RUN', /AssociateAddress would have succeeded/],
  [{ code: 'InvalidAllocationID.NotFound' }, 'ALLOCATION_NOT_FOUND', /allocation id eipalloc-\w+ in us-east-1/],
  [{ code: 'InvalidAddress.NotFound' }, 'ADDRESS_NOT_FOUND', /no Elastic IP of this account in us-east-1/],
  [{ code: 'InvalidInstanceID.NotFound' }, 'INSTANCE_NOT_FOUND', /no instance i-77 in us-east-1/],
  [{ code: 'InvalidNetworkInterfaceID.NotFound' }, 'INTERFACE_NOT_FOUND', /no network interface/],
  [{ code: 'InvalidAssociationID.NotFound' }, 'ASSOCIATION_NOT_FOUND', /association .* does not exist/],
  [{ code: 'IncorrectInstanceState' }, 'INSTANCE_STATE', /instance i-77 is not running: start it/],
  [{ code: 'AddressLimitExceeded' }, 'ADDRESS_LIMIT', /as many Elastic IPs as it may have.*Service Quotas/],
  [
    { code: 'Resource.AlreadyAssociated' },
    'ALREADY_ASSOCIATED',
    /eipalloc-\w+ is associated already, and allowReassociation is false/,
  ],
  [{ code: 'InvalidIPAddress.InUse' }, 'ADDRESS_IN_USE', /is associated: disassociate it first/],
  [{ code: 'InternalError', status: 500 }, 'API_UNAVAILABLE', /the service failed with status 500/],
  [{ code: 'Unavailable', status: 503 }, 'API_UNAVAILABLE', /the service failed with status 503/],
  [{ code: 'InvalidParameterValue', message: 'not like this' }, 'API_REJECTED', /InvalidParameterValue: not like this/],
];

describe('an error of EC2', () => {
  it.each(cases)('%j is %s and says what to do', async (failure, code, message) => {
    lab.ec2.fail(failure);
    const error = await thrown(held().associate({ instanceId: 'i-77' }, { name: false }));
    expect(isEipPoolError(error)).toBe(true);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as unknown });
    expect(error.message, 'what EC2 itself said is not lost').toContain(failure.code);
    expect((error.cause as Error).name).toBe(failure.code);
  });

  it('has a message of its own for each', async () => {
    const messages = new Set<string>();
    for (const [failure] of cases) {
      lab.ec2.recover();
      lab.ec2.fail({ ...failure, message: 'the same' });
      const { message } = await thrown(held().associate({ instanceId: 'i-77' }, { name: false }));
      messages.add(message.replace(/EC2 said: .*$/, ''));
    }
    expect(messages.size).toBe(cases.length);
  });

  it('names the permission of the call that failed, which need not be the one that was made', async () => {
    lab.ec2.fail({ code: 'UnauthorizedOperation', status: 403, action: 'DescribeNetworkInterfaces' });
    expect(await thrown(held().associate({ privateAddress: '10.0.0.9' }, { name: false }))).toMatchObject({
      code: 'API_UNAUTHORIZED',
      message: expect.stringMatching(/ec2:DescribeNetworkInterfaces is missing.*"\*"/) as unknown,
    });
  });
});

describe('a call that never reached EC2', () => {
  const config = { maxAttempts: 1, region: 'us-east-1' };

  it('says that there was no answer', async () => {
    const { credentials } = lab.ec2.config;
    const nobody = new ElasticIp('eipalloc-1', { config: { ...config, credentials, endpoint: 'http://127.0.0.1:1' } });
    expect(await thrown(nobody.describe())).toMatchObject({
      code: 'API_UNAVAILABLE',
      message: expect.stringMatching(/no answer.*ECONNREFUSED/) as unknown,
    });
  });

  it('says how to get credentials', async () => {
    const credentials = (): Promise<never> =>
      Promise.reject(Object.assign(new Error('Could not load'), { name: 'CredentialsProviderError' }));
    const nobody = new ElasticIp('eipalloc-1', { config: { ...config, credentials } });
    expect(await thrown(nobody.describe())).toMatchObject({
      code: 'API_CREDENTIALS',
      message: expect.stringMatching(/no AWS credentials were found.*AWS_ACCESS_KEY_ID/) as unknown,
    });
  });

  it.each([
    [() => new ElasticIp('i-1'), /elasticIp: expected 'eipalloc-…'/],
    [() => new ElasticIp('eipalloc-1', { regon: 'x' } as never), /did you mean elasticIp\.region\?/],
    [() => new ElasticIp('eipalloc-1', { region: 'EU (Ireland)' }), /elasticIp\.region/],
  ])('a wrong option is an error at once', (make, message) => {
    expect(make).toThrow(message);
  });
});
