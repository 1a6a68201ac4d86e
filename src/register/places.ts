/** Where a process is configured. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Place {
  readonly name: string;
  readonly text: string;
}

/** `EIP_POOL`, else the file `eip-pool.json` beside the nearest package.json of `folder`; null where there is neither. */
export function placeFor(folder: string, { EIP_POOL: text }: NodeJS.ProcessEnv): Place | null {
  if (text !== undefined && text !== '') return { name: 'EIP_POOL', text };
  const file = fileFor(folder);
  return file === null ? null : { name: file, text: readFileSync(file, 'utf8') };
}

function fileFor(folder: string): string | null {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) {
      const file = path.join(at, 'eip-pool.json');
      return existsSync(file) ? file : null;
    }
    if (at === path.dirname(at)) return null;
  }
}
