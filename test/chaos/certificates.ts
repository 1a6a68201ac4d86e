import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Valid for db.example.com, the lab's name. */
export const CERTIFICATE: Certificate = read('tls');
/** Another one for it, which nobody trusts who was told of the first. */
export const ROTATED: Certificate = read('rotated');

function read(name: string): Certificate {
  const file = (ending: string): string => readFileSync(join('test', 'pg', 'fixtures', `${name}.${ending}`), 'utf8');
  return { cert: file('crt'), key: file('key') };
}
