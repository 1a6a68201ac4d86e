import type { Address } from './address.js';

/**
 * The forms of an Elastic IP's DNS name, by partition: us-east-1, other Regions and GovCloud, China, the
 * European Sovereign Cloud. Source: EC2 user guide, "Amazon EC2 instance hostnames and domains".
 */
const ELASTIC_IP_NAME: RegExp =
  /^ec2-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(?:compute-1\.amazonaws\.com|[a-z0-9-]+\.compute\.amazonaws\.(?:com|com\.cn|eu))\.?$/i;

/** The public address that an EC2 name encodes; null for any other name. */
export function encodedAddress(name: string): Address | null {
  const match = ELASTIC_IP_NAME.exec(name);
  if (match === null) return null;
  const octets = match.slice(1, 5);
  return octets.every((octet) => Number(octet) <= 255) ? octets.map(Number).join('.') : null;
}
