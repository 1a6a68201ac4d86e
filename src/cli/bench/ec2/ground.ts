import {
  describeAddress,
  describeAddresses,
  type ElasticIpDescription,
  readTags,
  type SdkTag,
} from '../../../ec2/addresses.js';
import type { Ec2Client } from '../../../ec2/client.js';
import type { AssociationTarget } from '../../../ec2/index.js';
import type { Address } from '../../../endpoint/address.js';
import { messageOf } from '../../../errors.js';
import { inspect } from '../../inspect.js';
import type { Plan } from './options.js';
import { at } from './server.js';
import { MYSQL_IDENTITY, POSTGRES_IDENTITY } from './target.js';

/** Whoever does not want to be in a benchmark carries this tag, with any value. */
export const PROTECTED: string = 'eip-pool:protected';

/** One of the two places that the Elastic IP is switched between. */
export interface Side {
  readonly instanceId: string;
  readonly privateAddress: Address;
  readonly target: AssociationTarget;
  /** What its database server says of itself. */
  readonly identity: string;
}

/** Everything that must be so before anything is changed. */
export interface Ground {
  readonly allocationId: string;
  readonly publicIp: Address;
  readonly region: string;
  /** Where it is, which is where it goes back to; and the other one. */
  readonly sides: readonly [Side, Side];
  /** The other instance has a public address by itself, which it will lose. */
  readonly lostAddress: Address | null;
}

interface Instance {
  readonly instanceId: string;
  readonly state: string;
  readonly privateAddress: Address;
  readonly publicAddress: Address | null;
  readonly tags: Readonly<Record<string, string>>;
}

interface SdkInstance {
  readonly InstanceId?: string;
  readonly State?: { readonly Name?: string };
  readonly PrivateIpAddress?: string;
  readonly PublicIpAddress?: string;
  readonly Tags?: readonly SdkTag[];
}

/** Looks at everything and changes nothing. @throws why the Elastic IP must not be switched, or could not be */
export async function survey(client: Ec2Client, plan: Plan): Promise<Ground> {
  const [address, instances, all] = await Promise.all([
    describeAddress(client, { allocationId: plan.allocationId }),
    describeInstances(client, plan.instances),
    describeAddresses(client),
  ]);
  const { home, other } = arrange(address, instances, all);
  await checkName(plan, home.privateAddress);
  const sides = await Promise.all([identified(plan, home), identified(plan, other)]);
  if (sides[0].identity === sides[1].identity) {
    throw new Error(
      `both instances lead to the same database server (${sides[0].identity}): nobody could tell which of them answers`,
    );
  }
  return {
    allocationId: plan.allocationId,
    publicIp: address.publicIp,
    region: await client.region(),
    sides,
    lostAddress: instances.find(({ instanceId }) => instanceId === other.instanceId)?.publicAddress ?? null,
  };
}

type Place = Omit<Side, 'identity'>;

/**
 * Where the Elastic IP is and where it may go.
 * @throws where something is protected, is not as it was said to be, or would lose something by the switch
 */
export function arrange(
  address: ElasticIpDescription,
  instances: readonly Instance[],
  all: readonly ElasticIpDescription[],
): { readonly home: Place; readonly other: Place } {
  const { allocationId, association, tags } = address;
  refuseProtected(allocationId, tags);
  for (const { instanceId, tags: own } of instances) refuseProtected(instanceId, own);
  for (const { instanceId, state } of instances) {
    if (state !== 'running') throw new Error(`${instanceId} is ${state}: both instances must be running`);
  }
  const holder = instances.find(({ instanceId }) => instanceId === association?.instanceId);
  const other = instances.find((instance) => instance !== holder);
  if (association === null || holder === undefined || other === undefined) {
    const place = association === null ? 'nothing' : (association.instanceId ?? association.networkInterfaceId);
    const names = instances.map(({ instanceId }) => instanceId).join(' and ');
    throw new Error(`${allocationId} is on ${place}: expected it on one of ${names}, to put it back there`);
  }
  const taken = all.find((each) => each.association?.privateAddress === other.privateAddress);
  if (taken !== undefined) {
    throw new Error(
      `${other.instanceId} holds another Elastic IP at ${other.privateAddress}, ${taken.publicIp} (${taken.allocationId}): ` +
        'the switch would take that from it',
    );
  }
  const { networkInterfaceId, privateAddress } = association;
  return {
    home: { instanceId: holder.instanceId, privateAddress, target: { networkInterfaceId, privateAddress } },
    other: {
      instanceId: other.instanceId,
      privateAddress: other.privateAddress,
      target: { instanceId: other.instanceId },
    },
  };
}

function refuseProtected(id: string, tags: Readonly<Record<string, string>>): void {
  if (Object.hasOwn(tags, PROTECTED)) throw new Error(`${id} carries the tag ${PROTECTED}: it is not switched`);
}

async function describeInstances(client: Ec2Client, ids: readonly string[]): Promise<readonly Instance[]> {
  const { Reservations } = await client.call<{ Reservations?: { Instances?: SdkInstance[] }[] }>('DescribeInstances', {
    InstanceIds: ids,
  });
  return (Reservations ?? [])
    .flatMap(({ Instances }) => Instances ?? [])
    .map(({ InstanceId = '', State, PrivateIpAddress = '', PublicIpAddress, Tags }) => ({
      instanceId: InstanceId,
      state: State?.Name ?? 'in no known state',
      privateAddress: PrivateIpAddress,
      publicAddress: PublicIpAddress ?? null,
      tags: readTags(Tags),
    }));
}

async function checkName({ url, dnsServers }: Plan, address: Address): Promise<void> {
  const { addresses } = await inspect(url.hostname, dnsServers.length === 0 ? undefined : dnsServers);
  if (addresses.includes(address)) return;
  throw new Error(
    `${url.hostname} answers ${addresses.join(', ') || 'nothing'}, but the Elastic IP is on ${address}: use a name that ` +
      'leads to it, inside its VPC',
  );
}

async function identified({ url }: Plan, place: Place): Promise<Side> {
  const expression = url.protocol === 'mysql:' ? MYSQL_IDENTITY : POSTGRES_IDENTITY;
  try {
    const [row] = await at(url, place.privateAddress, (session) =>
      session.query<{ identity: string }>(`select ${expression} as identity`),
    );
    return { ...place, identity: row?.identity ?? '' };
  } catch (error) {
    const message = `no login at ${place.instanceId} (${place.privateAddress}): ${messageOf(error)}`;
    throw new Error(message, { cause: error });
  }
}
