import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { VPC_ID } from './cloud.js';
import { LocalHttp } from './http.js';

/** What the metadata service says of the instance that the test's process plays. */
export interface ImdsOptions {
  readonly region: string;
  readonly availabilityZone: string;
  readonly vpcCidrs: readonly string[];
}

export type ImdsMode =
  | 'normal'
  /**
   * The token's packet dies on its way, as in a container where the hop limit is 1: the PUT is never answered, and
   * everything else is refused for want of a token.
   */
  | 'hop-limit'
  /** The metadata service of this instance is switched off. */
  | 'disabled';

const TOKEN_PATH: string = '/latest/api/token';
const TOKEN_HEADER: string = 'x-aws-ec2-metadata-token';
const TTL_HEADER: string = 'x-aws-ec2-metadata-token-ttl-seconds';
const MAX_TTL_SECONDS: number = 21_600;
const MAC: string = '0e:00:00:00:00:01';

/** EC2's instance metadata service, version 2 only. Source: EC2 user guide, "Use the Instance Metadata Service". */
export class Imds {
  readonly #tokens: Set<string> = new Set();
  readonly #http: LocalHttp;
  readonly #data: Readonly<Record<string, string>>;
  #mode: ImdsMode = 'normal';

  private constructor(http: LocalHttp, data: Readonly<Record<string, string>>) {
    this.#http = http;
    this.#data = data;
  }

  static async start(options: ImdsOptions): Promise<Imds> {
    let imds: Imds | undefined;
    const http = await LocalHttp.start((request, response) => imds?.answer(request, response));
    imds = new Imds(http, metadata(options));
    return imds;
  }

  /** For `AWS_EC2_METADATA_SERVICE_ENDPOINT`. */
  get url(): string {
    return this.#http.url;
  }

  setMode(mode: ImdsMode): void {
    this.#mode = mode;
  }

  close(): void {
    this.#http.close();
  }

  /** Internal: one request. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url: path = '' } = request;
    if (this.#mode === 'disabled') return end(response, 403, '');
    if (path === TOKEN_PATH) {
      if (this.#mode === 'hop-limit') return;
      return method === 'PUT' ? this.#giveToken(request, response) : end(response, 405, '');
    }
    const token = request.headers[TOKEN_HEADER];
    if (typeof token !== 'string' || !this.#tokens.has(token)) return end(response, 401, '');
    const found = this.#data[path.replace('/latest/meta-data/', '')];
    end(response, found === undefined ? 404 : 200, found ?? '');
  }

  #giveToken(request: IncomingMessage, response: ServerResponse): void {
    const ttl = Number(request.headers[TTL_HEADER]);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > MAX_TTL_SECONDS) return end(response, 400, '');
    const token = randomUUID();
    this.#tokens.add(token);
    response.setHeader(TTL_HEADER, String(ttl));
    end(response, 200, token);
  }
}

function metadata({ region, availabilityZone, vpcCidrs }: ImdsOptions): Readonly<Record<string, string>> {
  const mac = `network/interfaces/macs/${MAC}`;
  return {
    'instance-id': 'i-0c0ffee0c0ffee000',
    mac: MAC,
    'placement/region': region,
    'placement/availability-zone': availabilityZone,
    [`${mac}/vpc-id`]: VPC_ID,
    [`${mac}/vpc-ipv4-cidr-blocks`]: vpcCidrs.join('\n'),
  };
}

function end(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain');
  response.end(body);
}
