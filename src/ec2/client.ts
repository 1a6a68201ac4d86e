import { EipPoolError } from '../errors.js';
import { invalidOption, type Reader } from '../options.js';
import { ec2Error } from './errors.js';

/** How EC2 is called. */
export interface Ec2Options {
  /**
   * The Region of the Elastic IP.
   * @defaultValue the one in its DNS name, where that is known; else the SDK's own (AWS_REGION, the profile)
   */
  readonly region?: string | undefined;
  /**
   * Further options of `new EC2Client(…)`: credentials, endpoint, request handler.
   * @defaultValue none
   */
  readonly config?: object | undefined;
}

interface Sender {
  send(command: object, options: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
  readonly config: { region(): Promise<string> };
}

/** What of the SDK is used. In types of our own, so that users need none of its. */
interface Sdk {
  readonly EC2Client: new (config: object) => Sender;
  readonly [command: `${string}Command`]: new (input: object) => object;
}

/** Calls EC2 through `@aws-sdk/client-ec2`, which is loaded at the first call. Rejects with coded errors only. */
export class Ec2Client {
  readonly #options: Ec2Options;
  readonly #retries: object;
  #loading: Promise<{ readonly sdk: Sdk; readonly sender: Sender }> | undefined;

  /** @param retries `sdk`: those of the SDK's adaptive mode; `none`: for a caller with a pace of his own */
  constructor(options: Ec2Options, retries: 'sdk' | 'none') {
    this.#options = options;
    this.#retries = retries === 'sdk' ? { retryMode: 'adaptive' } : { maxAttempts: 1 };
  }

  async call<Output>(action: string, input: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<Output> {
    const { sdk, sender } = await this.#load();
    const Command = sdk[`${action}Command`];
    if (Command === undefined) throw new EipPoolError('PEER_MISSING', `@aws-sdk/client-ec2 knows no ${action}`);
    try {
      return (await sender.send(new Command(input), signal === undefined ? {} : { abortSignal: signal })) as Output;
    } catch (error) {
      if (error instanceof Error && error.message === 'Region is missing') {
        throw new EipPoolError('INVALID_OPTION', 'option region: EC2 needs one; set it, or AWS_REGION', {
          cause: error,
        });
      }
      throw ec2Error(error, { action, input, region: await this.#region(sender) });
    }
  }

  /** So that the time of a call is EC2's alone, not that of reading the SDK. */
  async load(): Promise<void> {
    await this.#load();
  }

  /** @throws `INVALID_OPTION` where neither the options nor the environment have one */
  async region(): Promise<string> {
    const region = await this.#region((await this.#load()).sender);
    if (region !== undefined) return region;
    throw new EipPoolError('INVALID_OPTION', 'option region: EC2 needs one; set it, or AWS_REGION');
  }

  #load(): Promise<{ readonly sdk: Sdk; readonly sender: Sender }> {
    this.#loading ??= loadSdk().then((sdk) => {
      const { region, config } = this.#options;
      return {
        sdk,
        sender: new sdk.EC2Client({ ...this.#retries, ...(region === undefined ? {} : { region }), ...config }),
      };
    });
    return this.#loading;
  }

  async #region(sender: Sender): Promise<string | undefined> {
    return await sender.config.region().catch(() => undefined);
  }
}

async function loadSdk(): Promise<Sdk> {
  try {
    return (await import('@aws-sdk/client-ec2')) as unknown as Sdk;
  } catch (error) {
    throw new EipPoolError(
      'PEER_MISSING',
      'the EC2 API needs the package @aws-sdk/client-ec2: npm install @aws-sdk/client-ec2',
      { cause: error },
    );
  }
}

export const readRegion: Reader<string | undefined> = (value, name) => {
  if (value === undefined || (typeof value === 'string' && /^[a-z0-9-]+$/.test(value))) return value;
  throw invalidOption(name, "a Region such as 'eu-west-1'", value);
};

export const readConfig: Reader<object | undefined> = (value, name) => {
  if (value === undefined || (typeof value === 'object' && value !== null)) return value;
  throw invalidOption(name, 'options of new EC2Client(…)', value);
};
