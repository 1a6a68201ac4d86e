import type { Inspected } from '../inspect.js';
import { viewOf } from '../inspect.js';
import { type Finding, finding } from './finding.js';
import type { Place } from './imds.js';

/** Checks that need nothing but what is known already. Pure. */

/** First fixed version of each line that caches DNS answers inside c-ares: nodejs/node, found by asking 26 versions. */
const CACHING: readonly (readonly [major: number, fromMinor: number, fixedMinor: number, fixedPatch: number])[] = [
  [20, 16, 19, 5],
  [22, 4, 17, 0],
  [23, 0, Infinity, 0],
  [24, 0, 2, 0],
];

export function nodeCheck(version: string): Finding {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, '').split('.').map(Number);
  const caching = CACHING.some(
    ([line, from, fixedMinor, fixedPatch]) =>
      major === line && minor >= from && (minor < fixedMinor || (minor === fixedMinor && patch < fixedPatch)),
  );
  if (!caching) return finding('node', 'ok', `Node ${version} asks DNS anew each time`);
  const text = `Node ${version} caches the answers of dns.resolve4() for their TTL (eip-pool works around it)`;
  return finding('node', 'warn', text, 'code of your own that resolves the name sees old answers: update Node');
}

export function placeCheck(place: Place): Finding {
  switch (place.kind) {
    case 'ec2':
      return finding(
        'place',
        'ok',
        `in EC2: ${place.instanceId} in ${place.availabilityZone}, VPC ${place.vpcId ?? 'unknown'}`,
      );
    case 'no-token':
      return finding(
        'place',
        'warn',
        'in EC2, but the metadata token does not come back: probably a container, and the hop limit is 1',
        'aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2 --instance-id …',
      );
    case 'elsewhere':
      return finding('place', 'warn', `not in EC2, as far as can be seen (${place.reason})`);
  }
}

export function answerChecks(found: Inspected): Finding[] {
  const failed = found.answers.flatMap((answer) =>
    answer.kind === 'failed' ? [`${answer.server}: ${answer.error}`] : [],
  );
  const findings: Finding[] = [];
  if (found.answers.length === failed.length) {
    const text = failed.join('; ') || 'no DNS server is configured';
    return [finding('dns', 'fail', `no server knows ${found.name}: ${text}`, 'check the name, and resolv.conf')];
  }
  if (found.addresses.length === 0) {
    return [finding('dns', 'fail', `${found.name} has no address`, 'a CNAME may lead to a name that is gone')];
  }
  const chain = [found.name, ...found.chain].join(' → ');
  findings.push(finding('dns', found.agreed ? 'ok' : 'warn', `${chain} → ${found.addresses.join(', ')}`));
  if (!found.agreed)
    findings.push(finding('dns', 'warn', 'the DNS servers disagree', 'one of them caches: wait, or drop it'));
  if (failed.length > 0)
    findings.push(finding('dns', 'warn', failed.join('; '), 'take servers that fail out of resolv.conf'));
  return [...findings, viewCheck(found), ...cacheChecks(found)];
}

function viewCheck({ addresses, elasticIp }: Inspected): Finding {
  const [address = ''] = addresses;
  switch (viewOf(address, elasticIp)) {
    case 'private':
      return finding('view', 'ok', `${address} is a private address`);
    case 'public view':
      return finding(
        'view',
        'fail',
        `${address} is the public view of the Elastic IP: outside the VPC, or it is not associated`,
        'inside the VPC: enableDnsSupport and enableDnsHostnames (over peering: AllowDnsResolutionFromRemoteVpc)',
      );
    case 'public':
      return finding(
        'view',
        'fail',
        `${address} is a public address: eip-pool does not dial it unless follow.allow says so`,
        'if the name led to an Elastic IP once, it may be someone else’s by now',
      );
  }
}

/** Caches on this machine or this node, by the addresses that they are known by. */
const STUBS: readonly (readonly [RegExp, string])[] = [
  [/^127\.0\.0\.53\b/, 'systemd-resolved'],
  [/^169\.254\.20\.10\b/, 'the node-local cache of Kubernetes'],
  [/^(127\.|\[?::1\b)/, 'a resolver on this machine'],
];
/** Longer than this and a cache holds up a failover noticeably. */
const LONG_TTL_SECONDS = 60;

function cacheChecks({ answers }: Inspected): Finding[] {
  const findings: Finding[] = [];
  for (const { server } of answers) {
    const stub = STUBS.find(([address]) => address.test(server))?.[1];
    if (stub === undefined) continue;
    const text = `${server} is ${stub}: it keeps an answer for its TTL`;
    findings.push(
      finding('cache', 'warn', text, "a move is seen that much later; ask the VPC's resolver: follow.servers"),
    );
  }
  const ttls = answers.flatMap((answer) => (answer.kind === 'answered' ? (answer.ttlSeconds ?? []) : []));
  if (ttls.length === 0) return findings;
  const longest = Math.max(...ttls);
  const level = longest > LONG_TTL_SECONDS ? 'warn' : 'ok';
  const advice =
    level === 'ok' ? undefined : 'caches on the way hold a move up for so long; lower the TTL of the CNAME';
  findings.push(finding('ttl', level, `TTL ${longest} s`, advice));
  return findings;
}
