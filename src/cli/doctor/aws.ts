import { Ec2Client } from '../../ec2/client.js';
import { describeAddress, describeAddresses } from '../../ec2/addresses.js';
import { messageOf } from '../../errors.js';
import type { Inspected } from '../inspect.js';
import { within } from '../within.js';
import { type Finding, finding } from './finding.js';
import type { Place } from './imds.js';

export interface AwsQuestion {
  readonly found: Inspected;
  readonly place: Place;
  readonly region: string | undefined;
  readonly port: number | undefined;
}

interface SdkInterface {
  readonly AvailabilityZone?: string;
  readonly VpcId?: string;
  readonly Groups?: readonly { readonly GroupId?: string }[];
}
interface SdkGroup {
  readonly GroupId?: string;
  readonly IpPermissions?: readonly {
    readonly IpProtocol?: string;
    readonly FromPort?: number;
    readonly ToPort?: number;
    readonly IpRanges?: readonly { readonly CidrIp?: string }[];
    readonly Ipv6Ranges?: readonly { readonly CidrIpv6?: string }[];
  }[];
}

/** For everything together: what AWS does not say by then is reported as not checked. */
const API_MILLIS = 1_500;

/** What the EC2 API adds. Works with whatever part of it may be asked, and says what it could not check. */
export async function awsChecks(question: AwsQuestion): Promise<Finding[]> {
  const { found, place } = question;
  const region = question.region ?? found.elasticIp?.region ?? (place.kind === 'ec2' ? place.region : undefined);
  const client = new Ec2Client({ region, config: { maxAttempts: 1 } }, 'none');
  const checks: readonly (readonly [string, () => Promise<Finding[]>])[] = [
    ['elastic ip', () => elasticIpCheck(client, found)],
    ['quota', () => quotaCheck(client)],
    ['server', () => serverChecks(client, question)],
  ];
  const results = checks.map(async ([check, run]) => {
    try {
      return await within(API_MILLIS, 'the EC2 API', run());
    } catch (error) {
      return [finding(check, 'skip', messageOf(error))];
    }
  });
  return (await Promise.all(results)).flat();
}

async function elasticIpCheck(client: Ec2Client, { elasticIp, addresses }: Inspected): Promise<Finding[]> {
  if (elasticIp === null) return [finding('elastic ip', 'skip', 'the name leads to no Elastic IP')];
  const { publicIp } = elasticIp;
  const { association, allocationId } = await describeAddress(client, { publicIp });
  if (association === null) {
    const advice = `eip-pool eip associate ${allocationId} i-…`;
    return [finding('elastic ip', 'fail', `${publicIp} is associated with nothing`, advice)];
  }
  const { instanceId, networkInterfaceId, privateAddress } = association;
  const text = `${publicIp} (${allocationId}) is on ${instanceId ?? networkInterfaceId}, ${privateAddress}`;
  if (addresses.includes(privateAddress)) return [finding('elastic ip', 'ok', text)];
  const advice = 'DNS is late (wait for its TTL), or this is not the view from inside the VPC';
  return [finding('elastic ip', 'warn', `${text}, but the name answers ${addresses.join(', ')}`, advice)];
}

async function quotaCheck(client: Ec2Client): Promise<Finding[]> {
  const [used, { AccountAttributes }] = await Promise.all([
    describeAddresses(client),
    client.call<{ AccountAttributes?: { AttributeValues?: { AttributeValue?: string }[] }[] }>(
      'DescribeAccountAttributes',
      { AttributeNames: ['vpc-max-elastic-ips'] },
    ),
  ]);
  const limit = Number(AccountAttributes?.[0]?.AttributeValues?.[0]?.AttributeValue);
  const text = `${used.length} of ${limit} Elastic IPs are in use`;
  if (used.length < limit) return [finding('quota', 'ok', text)];
  return [finding('quota', 'warn', text, 'a further one cannot be allocated: Service Quotas, "EC2-VPC Elastic IPs"')];
}

/** What hangs on the server's network interface. Each part is looked at for itself. */
async function serverChecks(client: Ec2Client, { found, place, port }: AwsQuestion): Promise<Finding[]> {
  const [address] = found.addresses;
  if (address === undefined) return [];
  const { NetworkInterfaces } = await client.call<{ NetworkInterfaces?: SdkInterface[] }>('DescribeNetworkInterfaces', {
    Filters: [{ Name: 'addresses.private-ip-address', Values: [address] }],
  });
  const [server] = NetworkInterfaces ?? [];
  if (server === undefined) return [finding('server', 'skip', `no network interface of this account has ${address}`)];
  const vpcId = server.VpcId ?? '';
  const parts: readonly (readonly [string, Promise<Finding[]>])[] = [
    ['zone', Promise.resolve([zoneCheck(place, server.AvailabilityZone ?? '')])],
    ['vpc dns', vpcCheck(client, vpcId)],
    ['firewall', firewallCheck(client, server, port)],
  ];
  const settled = await Promise.allSettled(parts.map(([, part]) => part));
  return settled.flatMap((part, i) =>
    part.status === 'fulfilled' ? part.value : [finding(parts[i]?.[0] ?? '', 'skip', messageOf(part.reason))],
  );
}

/** Source of the price: EC2 on-demand pricing, "Data transfer within the same AWS Region". */
function zoneCheck(place: Place, zone: string): Finding {
  if (place.kind !== 'ec2')
    return finding('zone', 'skip', `the server is in ${zone}; where this process is, is not known`);
  if (place.availabilityZone === zone) return finding('zone', 'ok', `server and process are both in ${zone}`);
  const text = `the server is in ${zone}, this process in ${place.availabilityZone}`;
  return finding('zone', 'warn', text, 'traffic between zones is charged, in both directions, and takes longer');
}

async function vpcCheck(client: Ec2Client, VpcId: string): Promise<Finding[]> {
  const off: string[] = [];
  for (const Attribute of ['enableDnsSupport', 'enableDnsHostnames'] as const) {
    const key = Attribute === 'enableDnsSupport' ? 'EnableDnsSupport' : 'EnableDnsHostnames';
    const said = await client.call<Record<string, { Value?: boolean } | undefined>>('DescribeVpcAttribute', {
      VpcId,
      Attribute,
    });
    if (said[key]?.Value !== true) off.push(Attribute);
  }
  if (off.length === 0) return [finding('vpc dns', 'ok', 'enableDnsSupport and enableDnsHostnames are on')];
  const advice = off.map((each) => `aws ec2 modify-vpc-attribute --vpc-id ${VpcId} --${dashed(each)}`).join('; ');
  return [finding('vpc dns', 'fail', `${VpcId} lacks ${off.join(' and ')}: names answer public addresses`, advice)];
}

async function firewallCheck(client: Ec2Client, server: SdkInterface, port: number | undefined): Promise<Finding[]> {
  if (port === undefined) return [finding('firewall', 'skip', 'which port? Give --port or --url')];
  const GroupIds = (server.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? []);
  const { SecurityGroups } = await client.call<{ SecurityGroups?: SdkGroup[] }>('DescribeSecurityGroups', { GroupIds });
  const open = (SecurityGroups ?? []).filter((group) => isOpenToAll(group, port)).map(({ GroupId }) => GroupId);
  if (open.length === 0) return [finding('firewall', 'ok', `port ${port} is not open to the whole internet`)];
  const advice = 'allow the security group of the applications instead of 0.0.0.0/0';
  return [finding('firewall', 'warn', `${open.join(', ')}: port ${port} is open to the whole internet`, advice)];
}

function isOpenToAll({ IpPermissions = [] }: SdkGroup, port: number): boolean {
  return IpPermissions.some(({ IpProtocol, FromPort, ToPort, IpRanges = [], Ipv6Ranges = [] }) => {
    const covers =
      IpProtocol === '-1' || (IpProtocol === 'tcp' && (FromPort ?? 0) <= port && port <= (ToPort ?? 65_535));
    const everybody =
      IpRanges.some(({ CidrIp }) => CidrIp === '0.0.0.0/0') || Ipv6Ranges.some(({ CidrIpv6 }) => CidrIpv6 === '::/0');
    return covers && everybody;
  });
}

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
