import { systemClock } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import { elasticIpName } from '../endpoint/elastic-ip-name.js';
import { EipPoolError, isEipPoolError, messageOf } from '../errors.js';
import { boolean, invalidOption, millis, readOptions } from '../options.js';
import {
  describeAddress,
  describeAddresses,
  type ElasticIpDescription,
  type ElasticIpId,
  readElasticIpId,
} from './addresses.js';
import { Ec2Client, type Ec2Options, readConfig, readRegion } from './client.js';
import {
  bounded,
  DEADLINE_MILLIS,
  hasPrivateAnswer,
  type ReadSettleOptions,
  readSettleOptions,
  settle,
  type Settled,
  type SettleOptions,
  until,
} from './settle.js';

/** What an Elastic IP can point to: an instance, a network interface, or whatever has a private address. */
export type AssociationTarget =
  | { readonly instanceId: string }
  | { readonly networkInterfaceId: string; readonly privateAddress?: string | undefined }
  | { readonly privateAddress: string };

export interface AssociateOptions extends SettleOptions {
  /**
   * May it be taken from where it is?
   * @defaultValue true
   */
  readonly allowReassociation?: boolean | undefined;
}

export interface DeadlineOptions {
  /**
   * How long all of it may take, in milliseconds; then `NOT_SETTLED`, which says what may have been done.
   * @defaultValue 60_000
   */
  readonly deadlineMillis?: number | undefined;
}

export interface AllocateOptions extends Ec2Options, DeadlineOptions {}

/** An association, and how long it took to show: milliseconds since EC2 accepted it. */
export interface Associated extends Settled {
  readonly associationId: string;
}

/**
 * One Elastic IP, through `@aws-sdk/client-ec2`. Every method throws coded errors that say which permission or id is
 * missing (`API_UNAUTHORIZED`, `ALLOCATION_NOT_FOUND`, …); calls are retried in the SDK's adaptive mode, and EC2's
 * eventual consistency is waited for.
 */
export class ElasticIp {
  readonly #client: Ec2Client;
  readonly #id: ElasticIpId;
  #described: ElasticIpDescription | undefined;

  /**
   * @param elasticIp an allocation id, a public address, or an Elastic IP's DNS name
   * @throws `INVALID_OPTION` that names the option
   */
  constructor(elasticIp: string, options?: Ec2Options) {
    const { id, region } = readElasticIpId(elasticIp);
    const read = readEc2Options(options);
    this.#id = id;
    this.#client = new Ec2Client({ ...read, region: read.region ?? region }, 'sdk');
  }

  /**
   * Takes an Elastic IP from Amazon's pool. It is charged by the hour until {@link release}. Resolves when EC2 shows it.
   * @throws `ADDRESS_LIMIT`, `NOT_SETTLED`, and what any call to EC2 throws
   */
  static async allocate(options?: AllocateOptions): Promise<ElasticIp> {
    const { deadlineMillis: given, ...rest } = options ?? {};
    const client = new Ec2Client(readEc2Options(rest), 'sdk');
    const deadlineMillis = readDeadline(given, 'allocate');
    await client.load();
    const begun = systemClock.now();
    const { AllocationId } = await bounded(
      'whether it allocated an Elastic IP, which is charged, is not known: ElasticIp.list() shows it',
      (signal) => client.call<{ AllocationId: string }>('AllocateAddress', { Domain: 'vpc' }, signal),
      deadlineMillis,
    );
    const elasticIp = new ElasticIp(AllocationId, rest);
    try {
      const remaining = deadlineMillis - (systemClock.now() - begun);
      await until(`${AllocationId} to show in the API`, () => elasticIp.#ifThere(), remaining);
    } catch (error) {
      throw allocatedUnseen(AllocationId, error);
    }
    return elasticIp;
  }

  /** Every Elastic IP of the account in the Region. */
  static async list(options?: Ec2Options): Promise<readonly ElasticIpDescription[]> {
    return await describeAddresses(new Ec2Client(readEc2Options(options), 'sdk'));
  }

  /**
   * Asks EC2 whether {@link ElasticIp.allocate} would succeed; nothing is done.
   * @throws why it would not
   */
  static async checkAllocate(options?: Ec2Options): Promise<void> {
    await dryRun(new Ec2Client(readEc2Options(options), 'sdk'), 'AllocateAddress', { Domain: 'vpc' });
  }

  /** What EC2 says of it now; a change of some seconds ago may be missing. */
  async describe(): Promise<ElasticIpDescription> {
    this.#described = await describeAddress(this.#client, this.#id);
    return this.#described;
  }

  /** Its DNS name, in the form of its partition: `ec2-75-101-137-243.compute-1.amazonaws.com`. */
  async publicName(): Promise<string> {
    const publicIp = 'publicIp' in this.#id ? this.#id.publicIp : (await this.#known()).publicIp;
    return elasticIpName(publicIp, await this.#client.region());
  }

  /**
   * Points it to another server, and waits until the API and DNS show that and, where asked, a TCP port and a database
   * answer there.
   * @throws `INSTANCE_NOT_FOUND`, `INSTANCE_STATE`, `ALREADY_ASSOCIATED`, `NOT_SETTLED`, and what any call to EC2 throws
   */
  async associate(target: AssociationTarget, options?: AssociateOptions): Promise<Associated> {
    const { allowReassociation, ...rest } = options ?? {};
    const waits = readSettleOptions(rest);
    await this.#client.load();
    const begun = systemClock.now();
    const { name, associationId } = await bounded(
      'whether it accepted the association is not known: describe() shows it',
      async (signal) => {
        const input = await this.#associateInput(target, allowReassociation);
        const watched = await this.#nameToWatch(waits);
        // Time may have run out meanwhile; an association that nobody waits for any more is not made.
        signal.throwIfAborted();
        const { AssociationId } = await this.#client.call<{ AssociationId: string }>('AssociateAddress', input, signal);
        return { name: watched, associationId: AssociationId };
      },
      waits.deadlineMillis,
    );
    const deadlineMillis = waits.deadlineMillis - (systemClock.now() - begun);
    const describe = async (): Promise<ElasticIpDescription> => await this.describe();
    const settled = await settle({ waits: { ...waits, deadlineMillis }, name, associationId, describe });
    return { associationId, ...settled };
  }

  /** Asks EC2 whether {@link associate} would succeed; nothing is done. @throws why it would not */
  async checkAssociate(
    target: AssociationTarget,
    { allowReassociation }: Pick<AssociateOptions, 'allowReassociation'> = {},
  ): Promise<void> {
    await dryRun(this.#client, 'AssociateAddress', await this.#associateInput(target, allowReassociation));
  }

  /**
   * Takes it from what it points to; its DNS name then answers the public address everywhere. Does nothing where it
   * points to nothing. Resolves when EC2 shows it.
   * @throws `NOT_SETTLED`, and what any call to EC2 throws
   */
  async disassociate({ deadlineMillis }: DeadlineOptions = {}): Promise<void> {
    await this.#undo(readDeadline(deadlineMillis, 'disassociate'), async (signal) => {
      const { association } = await this.describe();
      if (association === null) return null;
      const { associationId: id } = association;
      signal.throwIfAborted();
      await this.#client.call('DisassociateAddress', { AssociationId: id }, signal);
      return { id, isGone: async () => (await this.describe()).association?.associationId !== id };
    });
  }

  /** Asks EC2 whether {@link disassociate} would succeed; nothing is done. @throws why it would not */
  async checkDisassociate(): Promise<void> {
    const { association } = await this.describe();
    if (association === null) return;
    await dryRun(this.#client, 'DisassociateAddress', { AssociationId: association.associationId });
  }

  /**
   * Gives it back to Amazon, for good: soon it is somebody else's, and whoever still connects to its name connects to
   * them. Resolves when EC2 shows it no more.
   * @throws `ADDRESS_IN_USE` while it is associated, `NOT_SETTLED`, and what any call to EC2 throws
   */
  async release({ deadlineMillis }: DeadlineOptions = {}): Promise<void> {
    await this.#undo(readDeadline(deadlineMillis, 'release'), async (signal) => {
      const id = await this.#allocationId();
      signal.throwIfAborted();
      await this.#client.call('ReleaseAddress', { AllocationId: id }, signal);
      return { id, isGone: async () => (await this.#ifThere()) === null };
    });
  }

  /** Asks EC2 whether {@link release} would succeed; nothing is done. @throws why it would not */
  async checkRelease(): Promise<void> {
    await dryRun(this.#client, 'ReleaseAddress', { AllocationId: await this.#allocationId() });
  }

  /** Has EC2 take something away, which `ask` names, and waits until it shows it no more. */
  async #undo(deadlineMillis: number, ask: (signal: AbortSignal) => Promise<Undone | null>): Promise<void> {
    await this.#client.load();
    const begun = systemClock.now();
    const undone = await bounded('whether it was done is not known: describe() shows it', ask, deadlineMillis);
    if (undone === null) return;
    const { id, isGone } = undone;
    const remaining = deadlineMillis - (systemClock.now() - begun);
    await until(`${id} to be gone from the API`, async () => ((await isGone()) ? true : null), remaining);
  }

  /** Null while EC2 does not show it. */
  async #ifThere(): Promise<ElasticIpDescription | null> {
    try {
      return await this.describe();
    } catch (error) {
      const gone = isEipPoolError(error) && /^(ALLOCATION|ADDRESS)_NOT_FOUND$/.test(error.code);
      if (gone) return null;
      throw error;
    }
  }

  async #known(): Promise<ElasticIpDescription> {
    return this.#described ?? (await this.describe());
  }

  async #allocationId(): Promise<string> {
    return 'allocationId' in this.#id ? this.#id.allocationId : (await this.#known()).allocationId;
  }

  async #associateInput(target: AssociationTarget, allowed: boolean | undefined): Promise<Record<string, unknown>> {
    const allowReassociation = boolean(true)(allowed, 'associate.allowReassociation');
    const AllocationId = await this.#allocationId();
    return { AllocationId, AllowReassociation: allowReassociation, ...(await this.#targetInput(target)) };
  }

  async #targetInput(target: AssociationTarget): Promise<Record<string, unknown>> {
    if (typeof target !== 'object' || target === null || !TARGETS.some((key) => key in target))
      throw invalidOption('target', `an object with ${TARGETS.join(', ')}`, target);
    if ('instanceId' in target) return { InstanceId: target.instanceId };
    if ('networkInterfaceId' in target) {
      const { networkInterfaceId, privateAddress } = target;
      const address = privateAddress === undefined ? {} : { PrivateIpAddress: privateAddress };
      return { NetworkInterfaceId: networkInterfaceId, ...address };
    }
    return {
      NetworkInterfaceId: await this.#interfaceOf(target.privateAddress),
      PrivateIpAddress: target.privateAddress,
    };
  }

  async #nameToWatch({ name, servers }: ReadSettleOptions): Promise<string | null> {
    if (name !== undefined) return name === false ? null : name;
    const own = await this.publicName();
    return (await hasPrivateAnswer(own, servers)) ? own : null;
  }

  async #interfaceOf(privateAddress: Address): Promise<string> {
    const { NetworkInterfaces } = await this.#client.call<{ NetworkInterfaces?: { NetworkInterfaceId?: string }[] }>(
      'DescribeNetworkInterfaces',
      { Filters: [{ Name: 'addresses.private-ip-address', Values: [privateAddress] }] },
    );
    const [only, ...others] = (NetworkInterfaces ?? []).map((each) => each.NetworkInterfaceId);
    if (only !== undefined && others.length === 0) return only;
    const found = only === undefined ? 'no network interface' : `${others.length + 1} network interfaces`;
    throw invalidOption(
      'target.privateAddress',
      `the private address of one network interface (${found} have it)`,
      privateAddress,
    );
  }
}

/** What EC2 was told to take away, and how it shows that it has. */
interface Undone {
  readonly id: string;
  isGone(): Promise<boolean>;
}

const TARGETS = ['instanceId', 'networkInterfaceId', 'privateAddress'] as const;

function readDeadline(given: number | undefined, method: string): number {
  return millis(DEADLINE_MILLIS, 0)(given, `${method}.deadlineMillis`);
}

/** It is charged from now on, so whoever cannot be told that it is there is told its id. */
function allocatedUnseen(allocationId: string, error: unknown): EipPoolError {
  const code = isEipPoolError(error) ? error.code : 'NOT_SETTLED';
  return new EipPoolError(
    code,
    `the Elastic IP ${allocationId} was allocated and is charged, but EC2 could not be asked for it: use ` +
      `new ElasticIp('${allocationId}'), or release it. ${messageOf(error)}`,
    { cause: error },
  );
}

/** EC2 answers a dry run with an error either way. */
async function dryRun(client: Ec2Client, action: string, input: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await client.call(action, { ...input, DryRun: true });
  } catch (error) {
    if (!isEipPoolError(error) || error.code !== 'DRY_RUN') throw error;
  }
}

function readEc2Options(options: Ec2Options | undefined): Ec2Options {
  return readOptions<Ec2Options>({ region: readRegion, config: readConfig }, options, 'elasticIp');
}
