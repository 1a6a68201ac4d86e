export {
  elasticIpName as publicName,
  encodedAddress as addressOf,
  encodedRegion as regionOf,
} from '../endpoint/elastic-ip-name.js';
export type { ElasticIpAssociation, ElasticIpDescription } from './addresses.js';
export type { Ec2Options } from './client.js';
export {
  ElasticIp,
  type AllocateOptions,
  type DeadlineOptions,
  type Associated,
  type AssociateOptions,
  type AssociationTarget,
} from './elastic-ip.js';
export { ec2, type Ec2ResolverOptions } from './resolver.js';
export type { Settled, SettleOptions, SettleStep } from './settle.js';
