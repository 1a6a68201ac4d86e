import { type Clock, systemClock } from '../../clock.js';
import { elasticIpName, encodedRegion } from '../../endpoint/elastic-ip-name.js';
import type { DnsServer } from '../dns-server.js';
import type { LabHost } from '../host.js';
import { Ec2Api, type Ec2Call, type Ec2Failure } from './api.js';
import { Cloud, type IngressRule, type LabAddress, type LabInstance, type NameChange } from './cloud.js';
import { LocalHttp } from './http.js';
import { Imds } from './imds.js';
import type { LabEc2Settings } from './options.js';

/** What `new EC2Client(…)` of `@aws-sdk/client-ec2` needs to talk to the lab. */
export interface LabEc2Config {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface Parts {
  readonly cloud: Cloud;
  readonly api: Ec2Api;
  readonly http: LocalHttp;
  readonly imds: Imds;
  readonly instances: readonly LabInstance[];
  readonly publicIp: string;
}

export interface LabEc2Start {
  readonly settings: LabEc2Settings;
  readonly hosts: readonly LabHost[];
  readonly dns: DnsServer;
  readonly publicName: string;
  readonly publicIp: string;
  readonly ttlSeconds: number;
  readonly vpcCidrs: readonly string[];
}

const DEFAULT_REGION: string = 'us-east-1';
/** Further allocations come from here: documentation addresses, RFC 5737. */
const FURTHER_ADDRESSES: string = '203.0.113';

/**
 * EC2 as far as an Elastic IP goes: an HTTP server that the unmodified `@aws-sdk/client-ec2` talks to, and the instance
 * metadata service. Each host of the lab is an instance; associating moves the lab's DNS answer.
 */
export class LabEc2 {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Internal: the lab starts it. */
  static async start(start: LabEc2Start, clock: Clock = systemClock): Promise<LabEc2> {
    const { settings, hosts, publicName, publicIp, vpcCidrs } = start;
    const region = encodedRegion(publicName) ?? DEFAULT_REGION;
    const handOut = addressesFrom(publicIp);
    const cloud = new Cloud({
      clock,
      region,
      apiDelayMillis: settings.apiDelayMillis,
      dnsDelayMillis: settings.dnsDelayMillis,
      addressLimit: settings.addressLimit,
      publicAddresses: () => handOut.next().value,
      onName: (change) => tellNames(start, region, change),
    });
    const instances = hosts.map(({ address }, index) =>
      cloud.addInstance({
        privateAddress: address,
        availabilityZone: `${region}${'abc'[index % 3] ?? 'a'}`,
        state: 'running',
      }),
    );
    if (settings.allocated) cloud.begin(instances[0]?.instanceId ?? '');
    const api = new Ec2Api(cloud, clock);
    const http = await LocalHttp.start((request, response, body) => {
      const reply = api.call(body, request.headers.authorization !== undefined);
      response.writeHead(reply.status, { 'content-type': 'text/xml;charset=UTF-8' }).end(reply.body);
    });
    const imds = await Imds.start({ region, availabilityZone: `${region}a`, vpcCidrs });
    return new LabEc2({ cloud, api, http, imds, instances, publicIp });
  }

  /** For `new EC2Client(lab.ec2.config)`. */
  get config(): LabEc2Config {
    return {
      endpoint: this.#parts.http.url,
      region: this.#parts.cloud.region,
      credentials: { accessKeyId: 'AKIDLAB', secretAccessKey: 'lab' },
    };
  }

  /** The same as environment variables, with the metadata service, for a command that is run. */
  get environment(): Readonly<Record<string, string>> {
    const { endpoint, region, credentials } = this.config;
    return {
      AWS_ENDPOINT_URL_EC2: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: this.#parts.imds.url,
    };
  }

  /** The instance metadata service, for the instance that the test's process plays. */
  get imds(): Imds {
    return this.#parts.imds;
  }

  /** The instances of the hosts, in their order, and those of {@link addInstance}. */
  get instances(): readonly LabInstance[] {
    return this.#parts.cloud.instances;
  }

  /** Every Elastic IP of the account as it is; readers of the API may see it `apiDelayMillis` later. */
  get addresses(): readonly LabAddress[] {
    return this.#parts.cloud.addresses;
  }

  /** Every call so far, oldest first. */
  get calls(): readonly Ec2Call[] {
    return this.#parts.api.calls;
  }

  /** The attributes of the VPC; they can be set. */
  get vpc(): { enableDnsSupport: boolean; enableDnsHostnames: boolean } {
    return this.#parts.cloud.vpc;
  }

  /** `RunInstances`: an instance that no host stands for. */
  addInstance(given: Partial<Omit<LabInstance, 'instanceId' | 'networkInterfaceId'>> = {}): LabInstance {
    const { cloud } = this.#parts;
    return cloud.addInstance({
      privateAddress: '10.0.7.7',
      availabilityZone: `${cloud.region}a`,
      state: 'running',
      ...given,
    });
  }

  setInstanceState(instanceId: string, state: LabInstance['state']): void {
    this.#parts.cloud.changeInstance(instanceId, { state });
  }

  /** `AuthorizeSecurityGroupIngress`, on the one security group that every instance is in. */
  authorizeIngress(rule: IngressRule): void {
    this.#parts.cloud.ingress.push(rule);
  }

  /** Takes the permission for an action such as `'DescribeAddresses'` away. */
  deny(action: string): void {
    this.#parts.api.deny(action);
  }

  permit(action: string): void {
    this.#parts.api.permit(action);
  }

  /** The API gives an error instead of doing what it is asked, until {@link recover}. */
  fail(failure: Ec2Failure): void {
    this.#parts.api.fail(failure);
  }

  recover(): void {
    this.#parts.api.recover();
  }

  /** Internal: the lab moved the name to a host by itself. */
  moved(host: LabHost): void {
    const { cloud, instances, publicIp } = this.#parts;
    const instanceId = instances[host.index]?.instanceId ?? '';
    cloud.changeInstance(instanceId, { privateAddress: host.address });
    cloud.moved(publicIp, instanceId);
  }

  /** Internal: the lab closes it. */
  close(): void {
    const { cloud, http, imds } = this.#parts;
    cloud.close();
    http.close();
    imds.close();
  }
}

function* addressesFrom(first: string): Generator<string, never> {
  yield first;
  for (let last = 1; ; last++) yield `${FURTHER_ADDRESSES}.${last}`;
}

function tellNames(
  { settings, dns, publicName, publicIp, ttlSeconds }: LabEc2Start,
  region: string,
  change: NameChange,
): void {
  const name = change.publicIp === publicIp ? publicName : elasticIpName(change.publicIp, region);
  for (const view of ['private', 'public'] as const) {
    const data = change.answer?.[view];
    dns.setRecords(name, data === undefined ? [] : [{ type: 'A', data, ttlSeconds }], view);
  }
  settings.onName?.({ ...change, name });
}
