import { EipPoolError, type ErrorCode, messageOf } from '../errors.js';

/** A call to EC2 that failed. */
export interface FailedCall {
  /** For example `'AssociateAddress'`. */
  readonly action: string;
  /** The ids that it named, for example `{ InstanceId: 'i-…' }`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly region: string | undefined;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly explain: (call: FailedCall, said: string) => string;
}

/**
 * What EC2's error codes mean for an Elastic IP, and what to do. Source: EC2 API reference, "Error codes for the Amazon
 * EC2 API".
 */
const meanings: Readonly<Record<string, Meaning>> = {
  UnauthorizedOperation: {
    code: 'API_UNAUTHORIZED',
    explain: ({ action }, said) =>
      `the permission ec2:${action} is missing${principalIn(said)}: allow it in an IAM policy, on the resource ` +
      (action.startsWith('Describe') ? '"*" (describing knows no narrower one)' : '"*" or on this one'),
  },
  AuthFailure: {
    code: 'API_CREDENTIALS',
    explain: ({ region }) =>
      `the credentials are not valid${inRegion(region)}: check the access key, the session token's age, and this ` +
      `machine's clock`,
  },
  RequestLimitExceeded: {
    code: 'API_THROTTLED',
    explain: ({ action }) =>
      `the account's quota of ${action} calls is used up for now (shared by everyone in the account and Region): wait, ` +
      `then ask less often`,
  },
  DryRunOperation: { code: 'DRY_RUN', explain: ({ action }) => `a dry run: ${action} would have succeeded` },
  'InvalidAllocationID.NotFound': {
    code: 'ALLOCATION_NOT_FOUND',
    explain: (call) => `there is no Elastic IP with the allocation id ${named(call, 'Allocation')}${elsewhere(call)}`,
  },
  'InvalidAddress.NotFound': {
    code: 'ADDRESS_NOT_FOUND',
    explain: (call) => `the address ${named(call, 'PublicIp')} is no Elastic IP of this account${elsewhere(call)}`,
  },
  'InvalidInstanceID.NotFound': {
    code: 'INSTANCE_NOT_FOUND',
    explain: (call) => `there is no instance ${named(call, 'Instance')}${elsewhere(call)}`,
  },
  'InvalidNetworkInterfaceID.NotFound': {
    code: 'INTERFACE_NOT_FOUND',
    explain: (call) => `there is no network interface ${named(call, 'NetworkInterface')}${elsewhere(call)}`,
  },
  'InvalidAssociationID.NotFound': {
    code: 'ASSOCIATION_NOT_FOUND',
    explain: (call) =>
      `the association ${named(call, 'Association')} does not exist: somebody else ended it, or moved it`,
  },
  IncorrectInstanceState: {
    code: 'INSTANCE_STATE',
    explain: (call) => `the instance ${named(call, 'Instance', 'NetworkInterface')} is not running: start it first`,
  },
  AddressLimitExceeded: {
    code: 'ADDRESS_LIMIT',
    explain: ({ region }) =>
      `the account has as many Elastic IPs as it may have${inRegion(region)} (5, unless raised): release one, or ask for ` +
      `more under Service Quotas, "EC2-VPC Elastic IPs"`,
  },
  'Resource.AlreadyAssociated': {
    code: 'ALREADY_ASSOCIATED',
    explain: (call) =>
      `${named(call, 'Allocation', 'PublicIp')} is associated already, and allowReassociation is false: disassociate it ` +
      `first, or allow it`,
  },
  'InvalidIPAddress.InUse': {
    code: 'ADDRESS_IN_USE',
    explain: (call) => `${named(call, 'Allocation', 'PublicIp')} is associated: disassociate it first`,
  },
};

/** EC2 has several codes for one thing. */
const SYNONYMS: Readonly<Record<string, string>> = {
  'Client.UnauthorizedOperation': 'UnauthorizedOperation',
  AccessDenied: 'UnauthorizedOperation',
  Throttling: 'RequestLimitExceeded',
  ThrottlingException: 'RequestLimitExceeded',
  'InvalidInstanceID.Malformed': 'InvalidInstanceID.NotFound',
  'InvalidNetworkInterfaceId.Malformed': 'InvalidNetworkInterfaceID.NotFound',
  'InvalidAllocationID.Malformed': 'InvalidAllocationID.NotFound',
  ExpiredToken: 'AuthFailure',
  RequestExpired: 'AuthFailure',
  InvalidClientTokenId: 'AuthFailure',
  SignatureDoesNotMatch: 'AuthFailure',
};

/** What the SDK threw, as an error of ours that says what to do; the SDK's own is its cause. */
export function ec2Error(error: unknown, call: FailedCall): EipPoolError {
  const said = messageOf(error);
  const name = error instanceof Error ? error.name : '';
  const meaning = meanings[SYNONYMS[name] ?? name];
  const head = `EC2 ${call.action} failed`;
  if (meaning !== undefined) {
    return new EipPoolError(meaning.code, `${head}: ${meaning.explain(call, said)}. EC2 said: ${name}: ${said}`, {
      cause: error,
    });
  }
  if (name === 'CredentialsProviderError') {
    const help = 'give this process a role (an instance profile), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    return new EipPoolError(
      'API_CREDENTIALS',
      `${head}: no AWS credentials were found: ${help}. The SDK said: ${said}`,
      {
        cause: error,
      },
    );
  }
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  if (status === undefined || status >= 500) {
    const what = status === undefined ? 'it gave no answer' : `the service failed with status ${status}`;
    return new EipPoolError('API_UNAVAILABLE', `${head}: ${what}: ${name}: ${said}`, { cause: error });
  }
  return new EipPoolError('API_REJECTED', `${head}: ${name}: ${said}`, { cause: error });
}

/** The values of the first kind of id that the call named. */
function named({ input }: FailedCall, ...kinds: readonly string[]): string {
  for (const kind of kinds) {
    for (const key of [kind, `${kind}s`, `${kind}Id`, `${kind}Ids`]) {
      const value = input[key];
      if (typeof value === 'string') return value;
      if (Array.isArray(value) && value.length > 0) return value.join(', ');
    }
  }
  return 'that was named';
}

function elsewhere({ region }: FailedCall): string {
  return `${inRegion(region)}: check the id, the account and the Region`;
}

function inRegion(region: string | undefined): string {
  return region === undefined ? '' : ` in ${region}`;
}

/** EC2 tells who asked: `User: arn:aws:sts::123456789012:assumed-role/app/i-… is not authorized …`. */
function principalIn(said: string): string {
  const principal = /User: (arn:\S+)/.exec(said)?.[1];
  return principal === undefined ? '' : ` for ${principal}`;
}
