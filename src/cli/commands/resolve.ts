import { ElasticIp, type ElasticIpDescription } from '../../ec2/index.js';
import { messageOf } from '../../errors.js';
import { type Command, FAILED, OK, REGION_OPTION, SERVER_OPTION } from '../command.js';
import { inspect, type Inspected, viewOf } from '../inspect.js';
import type { Output } from '../output.js';
import { within } from '../within.js';

/** Loading the SDK and looking for credentials that are not there must not hold up an answer that is. */
const API_MILLIS = 1_500;

export const resolve: Command = {
  name: 'resolve',
  usage: 'NAME [options]',
  summary: 'where a name points: its chain, each server’s answer, the Elastic IP in it, the instance behind it',
  examples: ['resolve db.example.com', 'resolve db.example.com --server 10.0.0.2 --server 10.0.0.3 --json'],
  options: {
    ...SERVER_OPTION,
    ...REGION_OPTION,
    'no-aws': { help: 'do not ask the EC2 API' },
  },
  maxPositionals: 1,
  async run(args, { output }) {
    const found = await inspect(args.required(0, 'the name'), args.all('server'));
    const instance = args.has('no-aws') ? 'not asked' : await instanceBehind(found, args.get('region'));
    output.data({ ...found, views: found.addresses.map((each) => viewOf(each, found.elasticIp)), instance });
    print(found, instance, output);
    return found.addresses.length > 0 ? OK : FAILED;
  },
};

async function instanceBehind(
  { elasticIp }: Inspected,
  region: string | undefined,
): Promise<ElasticIpDescription | string> {
  if (elasticIp === null) return 'no Elastic IP in the name';
  try {
    const { publicIp, region: named } = elasticIp;
    const api = new ElasticIp(publicIp, { region: region ?? named, config: { maxAttempts: 1 } });
    return await within(API_MILLIS, 'the EC2 API', api.describe());
  } catch (error) {
    return messageOf(error);
  }
}

function print(found: Inspected, instance: ElasticIpDescription | string, output: Output): void {
  output.line([found.name, ...found.chain].map((each) => output.paint('bold', each)).join(' → '));
  for (const answer of found.answers) {
    const who = `  ${answer.server.padEnd(22)}`;
    if (answer.kind === 'failed') {
      output.line(`${who} ${output.paint('red', answer.error)}`);
      continue;
    }
    const shown = answer.addresses.map((address) => `${address} (${viewOf(address, found.elasticIp)})`).join(', ');
    const ttl = answer.ttlSeconds === null ? '' : `, TTL ${answer.ttlSeconds} s`;
    output.line(`${who} ${shown || output.paint('red', 'no address')}${ttl}, ${answer.millis} ms`);
  }
  if (!found.agreed) output.line(output.paint('yellow', '  the servers disagree'));
  if (found.elasticIp !== null) output.line(`  Elastic IP ${found.elasticIp.publicIp} in ${found.elasticIp.region}`);
  output.line(`  EC2: ${typeof instance === 'string' ? instance : describeAssociation(instance)}`);
}

export function describeAssociation({ allocationId, association }: ElasticIpDescription): string {
  if (association === null) return `${allocationId} is associated with nothing`;
  const { instanceId, networkInterfaceId, privateAddress } = association;
  return `${allocationId} is on ${instanceId ?? networkInterfaceId}, private address ${privateAddress}`;
}
