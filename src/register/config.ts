/** What `EIP_POOL` or `eip-pool.json` says: checked once, at the start of the process. */
import { type FollowOptions, readFollowOptions } from '../endpoint/options.js';
import { EipPoolError, messageOf } from '../errors.js';
import { type Defaults, type FailoverOptions, readFailoverOptions } from '../failover/options.js';
import { invalidOption, type Reader, readOptions } from '../options.js';

/** All of it may be left out: then every host that is a name is followed, as `eip-pool/pg` and `eip-pool/mysql2` do. */
export interface RegisterConfig extends ByName {
  /**
   * Which hosts are followed; any other one is left to its driver.
   * @defaultValue every host that is a name
   */
  readonly names?: readonly string[] | undefined;
  /** For single names; each option goes before the one for all. */
  readonly byName?: Readonly<Record<string, ByName>> | undefined;
}

/** What a config of the application says itself goes before these. */
interface ByName {
  readonly follow?: FollowOptions | undefined;
  readonly failover?: FailoverOptions | undefined;
}

/**
 * @param place where it stands, for the message
 * @throws `INVALID_OPTION` that names the place and the option
 */
export function read(text: string, place: string): RegisterConfig {
  try {
    return readOptions<RegisterConfig>(
      { names, follow: asked(readFollowOptions), failover: asked(readFailoverOptions), byName },
      parse(text),
      'config',
    );
  } catch (error) {
    throw new EipPoolError('INVALID_OPTION', `${place}: ${messageOf(error)}`, { cause: error });
  }
}

/** The parser's own message quotes the text, which may hold what is secret. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new EipPoolError('INVALID_OPTION', 'expected an object in JSON, such as {"failover": {"drainMillis": 500}}');
  }
}

/** The options as they were given, once they have been checked: their defaults are applied where they are used. */
function asked<T extends object>(check: (input: unknown, where: string) => unknown): Reader<T | undefined> {
  return (value, name) => {
    check(value, name);
    return value as T | undefined;
  };
}

const names: Reader<readonly string[] | undefined> = (value, name) => {
  const areNames = Array.isArray(value) && value.every((host) => typeof host === 'string' && host !== '');
  if (value !== undefined && !areNames) throw invalidOption(name, 'an array of host names', value);
  return value as readonly string[] | undefined;
};

const byName: Reader<Readonly<Record<string, ByName>> | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(name, 'an object with a host name as each key', value);
  }
  const readers = {
    follow: asked<FollowOptions>(readFollowOptions),
    failover: asked<FailoverOptions>(readFailoverOptions),
  };
  const read = Object.entries(value).map(([host, given]) => [
    host,
    readOptions<ByName>(readers, given, `${name}.${host}`),
  ]);
  return Object.fromEntries(read) as Readonly<Record<string, ByName>>;
};

/** What a config says of each host. */
export function defaultsOf({ names: followed, follow, failover, byName: single = {} }: RegisterConfig): Defaults {
  const known = followed === undefined ? null : new Set(followed.map(bare));
  const singles = new Map(Object.entries(single).map(([host, options]) => [bare(host), options]));
  return (host) => {
    const name = bare(host);
    const own = singles.get(name);
    const options = { ...follow, ...own?.follow };
    const isFollowed = known === null || known.has(name) || own !== undefined;
    return { follow: isFollowed ? options : false, failover: { ...failover, ...own?.failover } };
  };
}

function bare(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
