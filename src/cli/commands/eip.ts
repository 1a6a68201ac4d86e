import { type AssociationTarget, ElasticIp, type ElasticIpDescription, type SettleStep } from '../../ec2/index.js';
import { isIP } from 'node:net';
import { type Args, type OptionTable, UsageError } from '../args.js';
import { type Command, OK, REGION_OPTION, SERVER_OPTION, type Surroundings } from '../command.js';
import { login, portOf } from '../login.js';
import { duration, type Output } from '../output.js';
import { describeAssociation } from './resolve.js';

const DRY_RUN: OptionTable = {
  'dry-run': { help: 'ask EC2 whether it would be done; nothing is' },
};
const WHICH = 'an Elastic IP (eipalloc-…, its address or its DNS name)';

export const allocate: Command = {
  name: 'eip allocate',
  usage: '[options]',
  summary: 'take an Elastic IP from Amazon’s pool (charged by the hour until released)',
  examples: ['eip allocate --region eu-west-1', 'eip allocate --dry-run'],
  options: { ...DRY_RUN, ...REGION_OPTION },
  maxPositionals: 0,
  async run(args, { output }) {
    const options = { region: args.get('region') };
    if (args.has('dry-run')) {
      await ElasticIp.checkAllocate(options);
      return wouldWork(output);
    }
    const elasticIp = await ElasticIp.allocate(options);
    const described = await elasticIp.describe();
    const name = await elasticIp.publicName();
    output.data({ ...described, name });
    output.line(`${described.allocationId}  ${described.publicIp}  ${name}`);
    output.line(`next: eip-pool eip associate ${described.allocationId} i-…, and a CNAME to ${name}`);
    return OK;
  },
};

export const describe: Command = {
  name: 'eip describe',
  usage: '[ELASTIC-IP] [options]',
  summary: 'what an Elastic IP points to; without one, every Elastic IP of the Region',
  examples: ['eip describe', 'eip describe 75.101.137.243 --json'],
  options: REGION_OPTION,
  maxPositionals: 1,
  async run(args, { output }) {
    const which = args.positionals[0];
    const options = { region: args.get('region') };
    const found: readonly ElasticIpDescription[] =
      which === undefined ? await ElasticIp.list(options) : [await new ElasticIp(which, options).describe()];
    output.data(found);
    for (const each of found) output.line(`${each.publicIp}  ${describeAssociation(each)}`);
    if (found.length === 0) output.line('no Elastic IP is allocated here');
    return OK;
  },
};

export const associate: Command = {
  name: 'eip associate',
  usage: 'ELASTIC-IP TARGET [options]',
  summary: 'point an Elastic IP to another server, and watch the switch: API, DNS, first connection',
  examples: [
    'eip associate eipalloc-0123456789abcdef0 i-0123456789abcdef0 --name db.example.com --port 5432',
    'eip associate 75.101.137.243 10.190.134.5 --url postgres://app:secret@db.example.com/app',
    'eip associate 75.101.137.243 eni-0123456789abcdef0 --dry-run',
  ],
  options: {
    name: { value: 'NAME', help: 'wait for the DNS answer of this name; the Elastic IP’s own, where it is visible' },
    port: { value: 'PORT', help: 'wait until the new server accepts a TCP connection' },
    url: { value: 'URL', help: 'wait until the new server lets this user in: postgres://… or mysql://…' },
    'no-reassociation': { help: 'fail if it is associated with something else' },
    deadline: { value: 'SECONDS', help: 'how long to wait; 60' },
    ...DRY_RUN,
    ...SERVER_OPTION,
    ...REGION_OPTION,
  },
  maxPositionals: 2,
  async run(args, surroundings) {
    const elasticIp = new ElasticIp(args.required(0, WHICH), { region: args.get('region') });
    const target = readTarget(args.required(1, 'the target (i-…, eni-… or a private address)'));
    const allowReassociation = !args.has('no-reassociation');
    if (!args.has('dry-run')) return await switchOver(elasticIp, target, allowReassociation, args, surroundings);
    await elasticIp.checkAssociate(target, { allowReassociation });
    return wouldWork(surroundings.output);
  },
};

export const disassociate: Command = {
  name: 'eip disassociate',
  usage: 'ELASTIC-IP [options]',
  summary: 'take an Elastic IP from its server; its name then answers the public address everywhere',
  examples: ['eip disassociate 75.101.137.243', 'eip disassociate eipalloc-0123456789abcdef0 --dry-run'],
  options: { ...DRY_RUN, ...REGION_OPTION },
  maxPositionals: 1,
  async run(args, { output }) {
    const elasticIp = new ElasticIp(args.required(0, WHICH), { region: args.get('region') });
    if (args.has('dry-run')) {
      await elasticIp.checkDisassociate();
      return wouldWork(output);
    }
    await elasticIp.disassociate();
    return done(output, 'disassociated');
  },
};

export const release: Command = {
  name: 'eip release',
  usage: 'ELASTIC-IP [options]',
  summary: 'give an Elastic IP back, for good: soon it is somebody else’s',
  examples: ['eip release eipalloc-0123456789abcdef0', 'eip release 75.101.137.243 --dry-run'],
  options: { ...DRY_RUN, ...REGION_OPTION },
  maxPositionals: 1,
  async run(args, { output }) {
    const elasticIp = new ElasticIp(args.required(0, WHICH), { region: args.get('region') });
    if (args.has('dry-run')) {
      await elasticIp.checkRelease();
      return wouldWork(output);
    }
    await elasticIp.release();
    return done(output, 'released');
  },
};

function readTarget(text: string): AssociationTarget {
  if (text.startsWith('i-')) return { instanceId: text };
  if (text.startsWith('eni-')) return { networkInterfaceId: text };
  if (isIP(text) !== 0) return { privateAddress: text };
  throw new UsageError(`the target: expected i-…, eni-… or a private address, got '${text}'`);
}

const STEPS: Readonly<Record<SettleStep['kind'], string>> = {
  api: 'the API shows',
  dns: 'DNS answers',
  port: 'first connection to',
  database: 'first login at',
};

async function switchOver(
  elasticIp: ElasticIp,
  target: AssociationTarget,
  allowReassociation: boolean,
  args: Args,
  { output }: Surroundings,
): Promise<number> {
  const url = args.url();
  const port = args.port() ?? (url === undefined || url.protocol === 'mysql:' ? undefined : portOf(url));
  const deadline = args.number('deadline', 0, 86_400);
  const associated = await elasticIp.associate(target, {
    allowReassociation,
    name: args.get('name'),
    port,
    servers: args.all('server'),
    database: url === undefined ? undefined : async (address) => void (await login(url, address)),
    deadlineMillis: deadline === undefined ? undefined : deadline * 1_000,
    onStep: ({ kind, millis, address }) => output.line(`${duration(millis).padStart(9)}  ${STEPS[kind]} ${address}`),
  });
  output.data(associated);
  if (!associated.steps.some(({ kind }) => kind === 'dns')) {
    output.line(output.paint('dim', 'DNS was not watched: no private answer here before; --name NAME waits for one'));
  }
  const last = Math.max(...associated.steps.map(({ millis }) => millis));
  output.line(output.paint('green', `switched in ${(last / 1_000).toFixed(2)} s (${associated.associationId})`));
  return OK;
}

function wouldWork(output: Output): number {
  return done(output, 'it would be done (dry run: nothing was)');
}

function done(output: Output, text: string): number {
  output.data({ ok: true });
  output.line(text);
  return OK;
}
