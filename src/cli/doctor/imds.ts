import { request } from 'node:http';
import { messageOf } from '../../errors.js';

/** Where this process runs. */
export type Place =
  | {
      readonly kind: 'ec2';
      readonly region: string;
      readonly availabilityZone: string;
      readonly instanceId: string;
      readonly vpcId: string | null;
      readonly vpcCidrs: readonly string[];
    }
  /** The metadata service is there, but its token does not come back. */
  | { readonly kind: 'no-token' }
  | { readonly kind: 'elsewhere'; readonly reason: string };

const DEFAULT_ENDPOINT = 'http://169.254.169.254';
/** On an instance it answers within some milliseconds. */
const TIMEOUT_MILLIS = 500;

/** Asks the instance metadata service, version 2. Takes a second and a half at most. */
export async function whereAmI(env: NodeJS.ProcessEnv): Promise<Place> {
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
    return { kind: 'elsewhere', reason: 'AWS_EC2_METADATA_DISABLED is set' };
  }
  const endpoint = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? DEFAULT_ENDPOINT;
  const token = await ask(endpoint, 'PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' });
  if (token.kind === 'silent') return { kind: 'no-token' };
  if (token.kind !== 'replied' || token.status !== 200) {
    const reason = token.kind === 'replied' ? `the metadata service answered ${token.status}` : token.reason;
    return { kind: 'elsewhere', reason };
  }
  const headers = { 'X-aws-ec2-metadata-token': token.body };
  const read = async (path: string): Promise<string> => {
    const reply = await ask(endpoint, 'GET', `/latest/meta-data/${path}`, headers);
    return reply.kind === 'replied' && reply.status === 200 ? reply.body.trim() : '';
  };
  const [region, availabilityZone, instanceId, mac] = await Promise.all([
    read('placement/region'),
    read('placement/availability-zone'),
    read('instance-id'),
    read('mac'),
  ]);
  const [vpcId, cidrs] = await Promise.all([
    read(`network/interfaces/macs/${mac}/vpc-id`),
    read(`network/interfaces/macs/${mac}/vpc-ipv4-cidr-blocks`),
  ]);
  const vpcCidrs = cidrs.split('\n').filter((cidr) => cidr !== '');
  return { kind: 'ec2', region, availabilityZone, instanceId, vpcId: vpcId === '' ? null : vpcId, vpcCidrs };
}

type Asked =
  | { readonly kind: 'replied'; readonly status: number; readonly body: string }
  /** It took the connection, and then said nothing: the reply died on its way. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'unreachable'; readonly reason: string };

async function ask(endpoint: string, method: string, path: string, headers: Record<string, string>): Promise<Asked> {
  return await new Promise((resolve) => {
    let connected = false;
    const asked = request(`${endpoint}${path}`, { method, headers, agent: false });
    const timer = setTimeout(() => {
      resolve(connected ? { kind: 'silent' } : { kind: 'unreachable', reason: 'no metadata service answers' });
      asked.destroy();
    }, TIMEOUT_MILLIS);
    asked.once('socket', (socket) => socket.once('connect', () => (connected = true)));
    asked.once('error', (error) => {
      clearTimeout(timer);
      resolve({ kind: 'unreachable', reason: messageOf(error) });
    });
    asked.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () => {
        clearTimeout(timer);
        resolve({ kind: 'replied', status: response.statusCode ?? 0, body });
      });
    });
    asked.end();
  });
}
