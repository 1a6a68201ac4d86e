import { systemClock } from '../clock.js';
import type { Resolution, ResolveHelp, Resolver } from '../endpoint/answer.js';
import { encodedAddress, encodedRegion } from '../endpoint/elastic-ip-name.js';
import { untilAborted } from '../endpoint/until-aborted.js';
import { EipPoolError } from '../errors.js';
import { invalidOption, millis, type Reader, readOptions } from '../options.js';
import { describeAddress, type ElasticIpDescription, type ElasticIpId } from './addresses.js';
import { Ec2Client, type Ec2Options, readConfig, readRegion } from './client.js';

export interface Ec2ResolverOptions extends Ec2Options {
  /**
   * The Elastic IP, where the name does not lead to its DNS name.
   * @defaultValue the one whose DNS name the followed name is, or is a CNAME to
   */
  readonly allocationId?: string | undefined;
  /**
   * How long one call may take, in milliseconds: the first one also fetches credentials.
   * @defaultValue 3_000
   */
  readonly timeoutMillis?: number | undefined;
}

interface ReadEc2ResolverOptions {
  readonly region: string | undefined;
  readonly config: object | undefined;
  readonly allocationId: string | undefined;
  readonly timeoutMillis: number;
}

/** How an Elastic IP is described; a seam for tests. */
export type Describe = (
  id: ElasticIpId,
  region: string | undefined,
  signal: AbortSignal,
) => Promise<ElasticIpDescription>;

/**
 * The EC2 API as a source, beside DNS: `follow(name, { resolver: ['dns', ec2()] })`. It knows of a move before DNS does,
 * whose answers caches keep for up to their TTL. It is asked at the start, and then only while something is wrong, since
 * the account's quota is shared: `asked: 'on-suspicion'`. It needs the permission `ec2:DescribeAddresses`; without it the
 * endpoint warns once (`SOURCE_ASIDE`) and goes on with its other sources.
 *
 * One of them may serve any number of endpoints.
 * @throws `INVALID_OPTION` that names the option
 */
export function ec2(options?: Ec2ResolverOptions): Resolver {
  const read = readOptions<ReadEc2ResolverOptions>(
    {
      region: readRegion,
      config: readConfig,
      allocationId: readAllocationId,
      timeoutMillis: millis(3_000, 1),
    },
    options,
    'ec2',
  );
  const clients = new Map<string | undefined, Ec2Client>();
  const describe: Describe = (id, encoded, signal) => {
    const region = read.region ?? encoded;
    // Retries of the SDK's own would run into the throttle that the endpoint's pace avoids.
    const client = clients.get(region) ?? new Ec2Client({ region, config: read.config }, 'none');
    clients.set(region, client);
    return describeAddress(client, id, signal);
  };
  return new Ec2Resolver(describe, read.allocationId, read.timeoutMillis);
}

export class Ec2Resolver implements Resolver {
  readonly name: string = 'ec2';
  readonly asked = 'on-suspicion' as const;
  /** The time of one call is its own: `lookupTimeoutMillis` is meant for DNS. */
  readonly keepsTime: boolean = true;
  readonly #describe: Describe;
  readonly #allocationId: string | undefined;
  readonly #timeoutMillis: number;
  /** Endpoints that ask the same at the same time share one call. */
  readonly #pending: Map<string, Promise<ElasticIpDescription>> = new Map();

  constructor(describe: Describe, allocationId: string | undefined, timeoutMillis: number) {
    this.#describe = describe;
    this.#allocationId = allocationId;
    this.#timeoutMillis = timeoutMillis;
  }

  async resolve(name: string, signal: AbortSignal, help: ResolveHelp): Promise<Resolution> {
    const chain = encodedAddress(name) === null ? await help.chain() : [];
    const elastic = [name, ...chain].find((candidate) => encodedAddress(candidate) !== null);
    const publicIp = elastic === undefined ? null : encodedAddress(elastic);
    const allocationId = this.#allocationId;
    if (allocationId === undefined && publicIp === null) throw noElasticIp(name, chain);
    const id = allocationId === undefined ? { publicIp: publicIp ?? '' } : { allocationId };
    const region = elastic === undefined ? undefined : (encodedRegion(elastic) ?? undefined);
    const { association } = await untilAborted(this.#ask(id, region), signal);
    return {
      addresses: association === null ? [] : [association.privateAddress],
      chain,
      from: 'ec2 DescribeAddresses',
    };
  }

  #ask(id: ElasticIpId, region: string | undefined): Promise<ElasticIpDescription> {
    const key = JSON.stringify([id, region]);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    // Neither a request handler nor a credential provider need heed the signal; the endpoint waits no longer either way.
    const late = new AbortController();
    const what = `ec2 gave no answer within ${this.#timeoutMillis} ms`;
    const timer = systemClock.setAwaited(
      () => late.abort(new EipPoolError('LOOKUP_TIMEOUT', what)),
      this.#timeoutMillis,
    );
    const asked = untilAborted(this.#describe(id, region, late.signal), late.signal).finally(() => {
      systemClock.clear(timer);
      this.#pending.delete(key);
    });
    this.#pending.set(key, asked);
    return asked;
  }
}

function noElasticIp(name: string, chain: readonly string[]): EipPoolError {
  const where =
    chain.length === 0
      ? 'is no DNS name of an Elastic IP, and no CNAME to one is known'
      : `leads to ${chain.join(', ')}`;
  return new EipPoolError(
    'NO_ADDRESS',
    `${name} ${where}: give ec2({ allocationId }), or 'dns' beside it so that the CNAME can be found`,
  );
}

const readAllocationId: Reader<string | undefined> = (value, name) => {
  if (value === undefined || (typeof value === 'string' && /^eipalloc-[0-9a-z]+$/i.test(value))) return value;
  throw invalidOption(name, "an allocation id such as 'eipalloc-0123456789abcdef0'", value);
};
