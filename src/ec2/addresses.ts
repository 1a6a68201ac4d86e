import { type Address, canonicalAddress } from '../endpoint/address.js';
import { encodedAddress, encodedRegion } from '../endpoint/elastic-ip-name.js';
import { invalidOption } from '../options.js';
import type { Ec2Client } from './client.js';

/** How an Elastic IP is named: by its allocation, or by its public address. */
export type ElasticIpId = { readonly allocationId: string } | { readonly publicIp: Address };

/** What EC2 says of an Elastic IP. */
export interface ElasticIpDescription {
  readonly allocationId: string;
  readonly publicIp: Address;
  /** What it points to; null while it is associated with nothing. */
  readonly association: ElasticIpAssociation | null;
  /** Its tags by their keys. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface ElasticIpAssociation {
  readonly associationId: string;
  /** What the DNS name answers inside the VPC. */
  readonly privateAddress: Address;
  readonly networkInterfaceId: string;
  /** Null for an interface of a service, such as a NAT gateway's. */
  readonly instanceId: string | null;
}

interface SdkAddress {
  readonly AllocationId?: string;
  readonly PublicIp?: string;
  readonly AssociationId?: string;
  readonly PrivateIpAddress?: string;
  readonly NetworkInterfaceId?: string;
  readonly InstanceId?: string;
  readonly Tags?: readonly SdkTag[];
}

export interface SdkTag {
  readonly Key?: string;
  readonly Value?: string;
}

/** Reads an allocation id, a public address, or an Elastic IP's DNS name. */
export function readElasticIpId(text: unknown): { readonly id: ElasticIpId; readonly region: string | undefined } {
  if (typeof text === 'string') {
    if (/^eipalloc-[0-9a-z]+$/i.test(text)) return { id: { allocationId: text }, region: undefined };
    const encoded = encodedAddress(text);
    if (encoded !== null) return { id: { publicIp: encoded }, region: encodedRegion(text) ?? undefined };
    const address = canonicalAddress(text);
    if (address !== null) return { id: { publicIp: address }, region: undefined };
  }
  throw invalidOption('elasticIp', "'eipalloc-…', a public address, or an Elastic IP's DNS name", text);
}

/** @throws `ALLOCATION_NOT_FOUND`, `ADDRESS_NOT_FOUND`, and what any call to EC2 throws */
export async function describeAddress(
  client: Pick<Ec2Client, 'call'>,
  id: ElasticIpId,
  signal?: AbortSignal,
): Promise<ElasticIpDescription> {
  const input = 'allocationId' in id ? { AllocationIds: [id.allocationId] } : { PublicIps: [id.publicIp] };
  const { Addresses } = await client.call<{ Addresses?: SdkAddress[] }>('DescribeAddresses', input, signal);
  const [found] = Addresses ?? [];
  return readAddress(found ?? {});
}

/** Every Elastic IP of the account in the Region. */
export async function describeAddresses(client: Pick<Ec2Client, 'call'>): Promise<readonly ElasticIpDescription[]> {
  const { Addresses } = await client.call<{ Addresses?: SdkAddress[] }>('DescribeAddresses', {});
  return (Addresses ?? []).map(readAddress);
}

function readAddress(found: SdkAddress): ElasticIpDescription {
  const { AssociationId, PrivateIpAddress } = found;
  const association =
    AssociationId === undefined || PrivateIpAddress === undefined
      ? null
      : {
          associationId: AssociationId,
          privateAddress: PrivateIpAddress,
          networkInterfaceId: found.NetworkInterfaceId ?? '',
          instanceId: found.InstanceId ?? null,
        };
  const { AllocationId = '', PublicIp = '', Tags } = found;
  return { allocationId: AllocationId, publicIp: PublicIp, association, tags: readTags(Tags) };
}

export function readTags(tags: readonly SdkTag[] | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}
