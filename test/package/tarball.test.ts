import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let app: string;
let files: string[];

/** An application that has installed what `npm publish` would send, and `pg`. */
beforeAll(async () => {
  app = await mkdtemp(path.join(tmpdir(), 'eip-pool-app-'));
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', app], { cwd: root });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  files = packed.files.map((file) => file.path);
  const modules = path.join(app, 'node_modules');
  await mkdir(path.join(modules, 'eip-pool'), { recursive: true });
  await run('tar', [
    'xzf',
    path.join(app, packed.filename),
    '-C',
    path.join(modules, 'eip-pool'),
    '--strip-components=1',
  ]);
  for (const name of await readdir(path.join(root, 'node_modules'))) {
    if (!name.startsWith('.'))
      await symlink(path.join(root, 'node_modules', name), path.join(modules, name)).catch(() => {});
  }
}, 60_000);
afterAll(async () => {
  await rm(app, { recursive: true, force: true });
});

async function node(name: string, source: string): Promise<string> {
  await writeFile(path.join(app, name), source);
  return (await run(process.execPath, [path.join(app, name)], { cwd: app })).stdout.trim();
}

describe('the packed tarball', () => {
  it('holds the build, and nothing else of the repository', () => {
    const strange = files.filter(
      (file) =>
        !/^dist\/(esm|cjs)\/.*\.(js|d\.ts)$|^dist\/cjs\/package\.json$|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(
          file,
        ),
    );
    expect(strange).toEqual([]);
    expect(files).toContain('LICENSE');
  });

  it('names no folder of the machine it was built on', async () => {
    const home = path.join(app, 'node_modules', 'eip-pool');
    for (const file of files.filter((name) => name.endsWith('.js'))) {
      expect(await readFile(path.join(home, file), 'utf8'), file).not.toContain(root.replace(/\/$/, ''));
    }
  });

  it('works with import', async () => {
    const out = await node(
      'app.mjs',
      `import { follow, outcomeOf, EipPoolError } from 'eip-pool';
       import pg, { Pool, Client, types } from 'eip-pool/pg';
       import { startLab } from 'eip-pool/lab';
       import stock from 'pg';
       console.log([follow, outcomeOf, EipPoolError, Pool, Client, startLab].every((each) => typeof each === 'function'),
         pg.Pool === Pool, types === stock.types, new Pool({ host: 'a.example.com' }) instanceof stock.Pool);`,
    );
    expect(out).toBe('true true true true');
  });

  it('works with require', async () => {
    const out = await node(
      'app.cjs',
      `const { follow, EipPoolError } = require('eip-pool');
       const { Pool, default: pg, types } = require('eip-pool/pg');
       const { startLab } = require('eip-pool/lab');
       const stock = require('pg');
       startLab().then(async (lab) => {
         const endpoint = follow(lab.name, { servers: lab.servers });
         const { addresses } = await endpoint.ready();
         endpoint.close();
         await lab.close();
         console.log(typeof EipPoolError, pg.Pool === Pool, types === stock.types, addresses[0] === lab.hosts[0].address);
       });`,
    );
    expect(out).toBe('function true true true');
  });

  it('is one package where Node can load it both ways, and its errors know each other where it cannot', async () => {
    const out = await node(
      'both.cjs',
      `const a = require('eip-pool');
       import('eip-pool').then((b) => {
         const error = new a.EipPoolError('NO_ADDRESS', 'x');
         console.log(a.EipPoolError === b.EipPoolError || !process.features.require_module, b.isEipPoolError(error));
       });`,
    );
    expect(out).toBe('true true');
  });

  it('keeps the CommonJS build working where Node does not know module-sync', async () => {
    const out = await node(
      'old.cjs',
      `const { Pool } = require('./node_modules/eip-pool/dist/cjs/pg/index.js');
       const { isEipPoolError } = require('eip-pool');
       try { new Pool({ host: 'a.b', failover: { drainMillis: -1 } }); } catch (error) { console.log(isEipPoolError(error), error.code); }`,
    );
    expect(out).toBe('true INVALID_OPTION');
  });
});
