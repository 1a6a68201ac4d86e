import { describe, expect, it } from 'vitest';
import { type Endpoint, follow, type Resolver } from '../../src/index.js';
import { EipPoolError } from '../../src/index.js';
import { Ec2Resolver } from '../../src/ec2/resolver.js';
import { Ec2Api } from '../../src/lab/ec2/api.js';
import { Cloud } from '../../src/lab/ec2/cloud.js';
import { VirtualClock } from '../virtual-clock.js';
import { serviceAt } from '../endpoint/scripted-resolver.js';

/**
 * A fleet on one Elastic IP, each process with its own endpoint, and the lab's EC2 API with its own buckets: everything
 * but HTTP, in virtual time.
 */
const PROCESSES = 200;
const NAME = 'ec2-75-101-137-243.compute-1.amazonaws.com';
const PUBLIC_IP = '75.101.137.243';
const [OLD, NEW] = ['10.254.171.132', '10.190.134.5'];
const DNS_LAGS: Resolver = { name: 'dns', resolve: async () => ({ addresses: [OLD], ttlSeconds: 60 }) };

interface Fleet {
  readonly clock: VirtualClock;
  readonly cloud: Cloud;
  readonly api: Ec2Api;
  readonly endpoints: readonly Endpoint[];
  /** When each process moved, since the failover. */
  readonly movedAt: Map<Endpoint, number>;
  /** What each process was told by the API since the failover: null is an answer. */
  readonly told: Map<Endpoint, (string | null)[]>;
}

async function startFleet(seed: number): Promise<Fleet> {
  const clock = new VirtualClock(seed);
  const cloud = new Cloud({
    clock,
    region: 'us-east-1',
    apiDelayMillis: 0,
    dnsDelayMillis: 0,
    addressLimit: 5,
    publicAddresses: () => PUBLIC_IP,
    onName: () => {},
  });
  const [first] = [OLD, NEW].map((privateAddress) =>
    cloud.addInstance({ privateAddress, availabilityZone: 'us-east-1a', state: 'running' }),
  );
  cloud.begin(first!.instanceId);
  const api = new Ec2Api(cloud, clock);
  const fleet: Fleet = { clock, cloud, api, endpoints: [], movedAt: new Map(), told: new Map() };
  return { ...fleet, endpoints: Array.from({ length: PROCESSES }, () => startProcess(fleet)) };
}

function startProcess({ clock, cloud, api, told }: Fleet): Endpoint {
  const calls: (string | null)[] = [];
  const resolver = new Ec2Resolver(
    async () => {
      const { status } = api.call(`Action=DescribeAddresses&PublicIp.1=${PUBLIC_IP}`, true);
      calls.push(api.calls.at(-1)!.error);
      if (status === 503) throw new EipPoolError('API_THROTTLED', 'throttled');
      return { ...cloud.visible[0]!, tags: {} };
    },
    undefined,
    3_000,
  );
  const endpoint = follow(NAME, { resolver: [DNS_LAGS, resolver], clock });
  told.set(endpoint, calls);
  return endpoint;
}

/** The host is gone for all of them at once; the operator has moved the Elastic IP, and only the API knows. */
async function failOver({ clock, cloud, endpoints, movedAt, told }: Fleet): Promise<void> {
  cloud.moved(PUBLIC_IP, cloud.instances[1]!.instanceId);
  const began = clock.now();
  for (const endpoint of endpoints) {
    told.get(endpoint)!.length = 0;
    endpoint.on('move', () => {
      movedAt.set(endpoint, clock.now() - began);
      // The new server takes the first connection.
      endpoint.report(serviceAt(NEW), 'usable');
    });
    endpoint.report(serviceAt(OLD), 'refusing', new Error('ECONNREFUSED'));
  }
}

describe('200 processes in one failover, while DNS still gives the old address', () => {
  it.each([1, 2, 3, 4, 5])(
    'all have the new one within 10 s, and none is throttled twice (seed %i)',
    async (seed) => {
      const fleet = await startFleet(seed);
      const { clock, endpoints, movedAt, told } = fleet;
      // All started at once, half of them into the throttle; all has been well since.
      await clock.advance(20_000);
      expect(endpoints.every(({ current }) => current?.addresses[0] === OLD)).toBe(true);
      await failOver(fleet);
      await clock.advance(10_000);
      expect(movedAt.size).toBe(PROCESSES);
      const times = [...movedAt.values()].toSorted((a, b) => a - b);
      expect(times.at(-1)).toBeLessThanOrEqual(10_000);
      expect(times[PROCESSES / 2], 'half of them within the first spread').toBeLessThan(2_200);

      const throttles = [...told.values()].map(
        (calls) => calls.filter((code) => code === 'RequestLimitExceeded').length,
      );
      expect(Math.max(...throttles), 'nobody retries into the throttle').toBeLessThanOrEqual(1);

      // A minute later DNS still lags: nobody was pulled back, and asking goes on gently.
      await clock.advance(50_000);
      expect(endpoints.every(({ current }) => current?.addresses[0] === NEW)).toBe(true);
      const later = fleet.api.calls.filter(({ at }) => at > clock.now() - 30_000);
      expect(later.filter(({ error }) => error !== null)).toEqual([]);
      for (const endpoint of endpoints) endpoint.close();
    },
    120_000,
  );
});
