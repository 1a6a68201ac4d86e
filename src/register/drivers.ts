/** Which loaded files are a driver's entry, and what takes their place. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { hooked, unhooked } from '../failover/driver-module.js';
import type { Defaults } from '../failover/options.js';
import { following, withPromises } from '../mysql2/wrap.js';
import { type CreateStockCluster, promiseFollowing } from '../mysql2/promise-following.js';
import { makeClientClass } from '../pg/client.js';
import type { Driver } from '../pg/internals.js';
import { makePoolClass } from '../pg/pool.js';

/** A version that an adapter is for: the peer ranges of package.json. */
export const SUPPORTED = {
  pg: { from: [8, 16], below: 9 },
  mysql2: { from: [3, 24], below: 4 },
} as const;

/** One entry of a copy of a driver. */
export interface Entry {
  readonly driver: keyof typeof SUPPORTED;
  readonly version: string;
  /** The copy's folder. */
  readonly folder: string;
  readonly file: 'lib/index.js' | 'index.js' | 'promise.js';
}

/** Of pg, everything is loaded by one file; of mysql2, each of two shapes by its own. An alias has it in its name, mostly. */
const ENTRY = /^(.*(?:pg[^/\\]*(?=[/\\]lib[/\\]index\.js$)|mysql[^/\\]*(?=[/\\](?:index|promise)\.js$)))[/\\](.+)$/;

/** What a file that was loaded is to us; null for nearly all. */
export function entryOf(filename: string): Entry | null {
  const [, folder, inner] = ENTRY.exec(filename) ?? [];
  if (folder === undefined || inner === undefined) return null;
  let about: { readonly name?: unknown; readonly version?: unknown };
  try {
    about = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as typeof about;
  } catch {
    return null;
  }
  const file = inner.replaceAll('\\', '/') as Entry['file'];
  const driver = file === 'lib/index.js' ? 'pg' : 'mysql2';
  return about.name === driver ? { driver, version: String(about.version), folder, file } : null;
}

export function isSupported({ driver, version }: Pick<Entry, 'driver' | 'version'>): boolean {
  const { from, below } = SUPPORTED[driver];
  const [major = NaN, minor = NaN] = version.split('.').map(Number);
  return major >= from[0] && major < below && (major > from[0] || minor >= from[1]);
}

/** @param load loads a file of the same copy, in its application's own way */
export function takeOver(entry: Entry, module: object, load: (file: string) => object, defaults: Defaults): object {
  switch (entry.file) {
    case 'lib/index.js':
      return takeOverPg(module as Driver, defaults);
    case 'index.js': {
      const core = following(module, defaults);
      return hooked(module, Object.defineProperties({}, overridesOf(module, core)));
    }
    case 'promise.js': {
      const { createPoolCluster } = module as { readonly createPoolCluster: CreateStockCluster };
      const core = following(unhooked(load('index.js')), defaults);
      return hooked(module, promiseFollowing(core, createPoolCluster));
    }
  }
}

function takeOverPg(driver: Driver, defaults: Defaults): object {
  const Client = makeClientClass(driver, defaults);
  return hooked(driver, { Pool: makePoolClass(driver, Client, defaults), Client });
}

/** The parts that mysql2 makes late are made late here too. */
function overridesOf(module: object, core: ReturnType<typeof following>): PropertyDescriptorMap {
  const promises = Object.getOwnPropertyDescriptors(withPromises(module, core));
  const late = Object.entries(promises).filter(([name]) => /^create\w+Promise$/.test(name));
  return { ...Object.getOwnPropertyDescriptors(core), ...Object.fromEntries(late) } as PropertyDescriptorMap;
}
