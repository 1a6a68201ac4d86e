import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let app: string;
/** One that has installed nothing beside it. */
let bare: string;
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
  bare = await mkdtemp(path.join(tmpdir(), 'eip-pool-bare-'));
  await cp(path.join(modules, 'eip-pool'), path.join(bare, 'node_modules', 'eip-pool'), { recursive: true });
  for (const name of await readdir(path.join(root, 'node_modules'))) {
    if (!name.startsWith('.'))
      await symlink(path.join(root, 'node_modules', name), path.join(modules, name)).catch(() => {});
  }
}, 60_000);
afterAll(async () => {
  for (const folder of [app, bare]) await rm(folder, { recursive: true, force: true });
});

async function node(name: string, source: string, folder: string = app): Promise<string> {
  await writeFile(path.join(folder, name), source);
  return (await run(process.execPath, [path.join(folder, name)], { cwd: folder })).stdout.trim();
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
       import { ec2, ElasticIp, publicName } from 'eip-pool/ec2';
       import { startLab } from 'eip-pool/lab';
       import stock from 'pg';
       console.log([follow, outcomeOf, EipPoolError, Pool, Client, ec2, ElasticIp, publicName, startLab].every((each) => typeof each === 'function'),
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

  it('asks EC2 from either module system, and loads its SDK only then', async () => {
    const source = (load: string): string =>
      `${load}
       const loaded = () => Object.keys(require.cache).some((file) => file.includes('client-ec2'));
       const before = loaded();
       startLab({ ec2: true }).then(async (lab) => {
         const config = lab.ec2.config;
         const { association } = await new ElasticIp(lab.publicAddress, { config }).describe();
         console.log(before, loaded(), association.privateAddress === lab.current.address);
         await lab.close();
       });`;
    const required = "const { ElasticIp } = require('eip-pool/ec2'); const { startLab } = require('eip-pool/lab');";
    const imported =
      "import { ElasticIp } from 'eip-pool/ec2'; import { startLab } from 'eip-pool/lab'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    expect(await node('ec2.cjs', source(required))).toBe('false true true');
    expect(await node('ec2.mjs', source(imported))).toBe('false true true');
  });

  it('says what to install where the SDK is not there', async () => {
    const out = await node(
      'app.mjs',
      `import { ElasticIp } from 'eip-pool/ec2';
       new ElasticIp('eipalloc-1').describe().catch((error) => console.log(error.code, error.message));`,
      bare,
    );
    expect(out).toBe('PEER_MISSING the EC2 API needs the package @aws-sdk/client-ec2: npm install @aws-sdk/client-ec2');
  });

  it('brings the command eip-pool, which works without any peer for what needs none', async () => {
    const bin = path.join(bare, 'node_modules', 'eip-pool', 'dist', 'esm', 'cli', 'main.js');
    const { stdout } = await run(process.execPath, [bin, 'resolve', '--help']);
    expect(stdout).toContain('eip-pool resolve db.example.com');
    const misused = await run(process.execPath, [bin, 'resolv']).catch((error: unknown) => error);
    expect(misused).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean 'resolve'?") as unknown });
    const nowhere = ['resolve', 'a.example.com', '--server', '127.0.0.1:9', '--no-aws', '--json'];
    const failed = await run(process.execPath, [bin, ...nowhere]).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('"addresses":[]') as unknown });
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
