import { isIPv4 } from 'node:net';
import { invalidOption } from '../options.js';
import type { Address } from './address.js';

/**
 * The forms of an Elastic IP's DNS name, by partition: us-east-1, other Regions and GovCloud, China, the
 * European Sovereign Cloud, and the four isolated partitions under the DNS suffixes that the AWS SDKs list for them. Source: EC2
 * user guide, "Amazon EC2 instance hostnames and domains"; `partitions.json` of the SDKs.
 */
const ELASTIC_IP_NAME: RegExp =
  /^ec2-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(?:compute-1\.amazonaws\.com|([a-z0-9-]+)\.compute\.(?:amazonaws\.(?:com|com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk))\.?$/i;

/** Region → the end of its names; a Region in no row has the common one. */
const DOMAINS: readonly (readonly [RegExp, (region: string) => string])[] = [
  [/^us-east-1$/, () => 'compute-1.amazonaws.com'],
  [/^cn-/, (region) => `${region}.compute.amazonaws.com.cn`],
  [/^eusc-/, (region) => `${region}.compute.amazonaws.eu`],
  [/^us-iso-/, (region) => `${region}.compute.c2s.ic.gov`],
  [/^us-isob-/, (region) => `${region}.compute.sc2s.sgov.gov`],
  [/^us-isof-/, (region) => `${region}.compute.csp.hci.ic.gov`],
  [/^eu-isoe-/, (region) => `${region}.compute.cloud.adc-e.uk`],
  [/^/, (region) => `${region}.compute.amazonaws.com`],
];

/** The public address that an EC2 name encodes; null for any other name. */
export function encodedAddress(name: string): Address | null {
  const match = ELASTIC_IP_NAME.exec(name);
  if (match === null) return null;
  const octets = match.slice(1, 5);
  return octets.every((octet) => Number(octet) <= 255) ? octets.map(Number).join('.') : null;
}

/** The Region that an EC2 name belongs to; null for any other name. */
export function encodedRegion(name: string): string | null {
  const match = ELASTIC_IP_NAME.exec(name);
  return match === null ? null : (match[5]?.toLowerCase() ?? 'us-east-1');
}

/**
 * The DNS name of a public address in a Region: `ec2-75-101-137-243.compute-1.amazonaws.com`.
 * @throws `INVALID_OPTION` for what is not an IPv4 address or a Region
 */
export function elasticIpName(address: Address, region: string): string {
  if (!isIPv4(address)) throw invalidOption('address', 'an IPv4 address', address);
  if (!/^[a-z]{2,4}(-[a-z]+)+-\d+$/.test(region)) throw invalidOption('region', "a Region such as 'eu-west-1'", region);
  const domain = DOMAINS.find(([regions]) => regions.test(region))?.[1](region);
  return `ec2-${address.replaceAll('.', '-')}.${domain}`;
}
