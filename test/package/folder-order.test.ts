import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const files = (readdirSync(src, { recursive: true }) as string[])
  .filter((file) => file.endsWith('.ts') && statSync(path.join(src, file)).isFile())
  .map((file) => file.split(path.sep).join('/'));
const read = (file: string): string => readFileSync(path.join(src, file), 'utf8');

/** The data flow: a file knows only what stands left of it. Adapters stand side by side. */
const ORDER: readonly (readonly string[])[] = [
  ['endpoint'],
  ['sockets'],
  ['outcome'],
  ['failover'],
  ['pg', 'mysql2', 'generic-pool', 'ec2'],
  ['register'],
  ['telemetry'],
  ['lab'],
  ['cli'],
];
/** At the root: for everybody. `index.ts` stands right of everything that it exports. */
const COMMON = ['async-context.ts', 'clock.ts', 'errors.ts', 'events.ts', 'options.ts'];
const rank = (folder: string): number => ORDER.findIndex((folders) => folders.includes(folder));

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, target]) =>
    path.posix.normalize(path.posix.join(path.posix.dirname(file), target!)).replace(/\.js$/, '.ts'),
  );
}

describe('the source', () => {
  it.each(files.filter((file) => file.includes('/')))('%s knows only what stands left of it', (file) => {
    const [own] = file.split('/') as [string];
    expect(rank(own), `src/${own} has no place in the order`).toBeGreaterThanOrEqual(0);
    for (const target of importsOf(file)) {
      if (COMMON.includes(target)) continue;
      const [other] = target.split('/') as [string];
      const allowed = other === own || (rank(other) >= 0 && rank(other) < rank(own));
      expect(allowed, `${file} imports ${target}`).toBe(true);
    }
  });

  it('touches private members of pg and pg-pool in one file only', () => {
    // What a class overrides, and what it calls of the class that it extends, it may name.
    const written = (file: string): string => read(file).replaceAll(/super\._[a-z]\w*/g, '');
    const touching = files.filter(
      (file) => file.startsWith('pg/') && /[.?]_[a-z]\w*|'_[a-z]\w*'|\{ _[a-z]/.test(written(file)),
    );
    expect(touching).toEqual(['pg/internals.ts']);
  });
});
