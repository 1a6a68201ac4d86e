/** Which of the files that are loaded are a driver's entry. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

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
