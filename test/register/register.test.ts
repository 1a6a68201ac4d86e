import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SUPPORTED } from '../../src/register/entries.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const loads = fileURLToPath(new URL('fixtures/loads.mjs', import.meta.url));
const entry = path.join(root, 'dist/cjs/register/index.js');
const CONFIG = { names: ['DB.example.com.'] };
const ALL = {
  oneClass: true,
  named: ['BoundPool', 'Client', 'createPool', 'createPoolCluster'],
  pool: 'db.example.com',
  client: 'db.example.com',
  'connection string': 'db.example.com',
  'another copy': 'db.example.com',
  mysql2: 'db.example.com',
  required: 'db.example.com',
  promise: 'db.example.com',
  cluster: true,
  connection: true,
  'an address': null,
  'a name that is not asked for': null,
  'its own import is of the driver itself': true,
};

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd: string = root): Ran {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
}

function told(args: readonly string[], env: NodeJS.ProcessEnv = {}): unknown[] {
  const { stdout, stderr } = run(args, { EIP_POOL: JSON.stringify(CONFIG), ...env });
  expect(stderr).toBe('');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('every copy of pg and mysql2 follows names', () => {
  it.each(['--import', '--require'])('by %s', (flag) => {
    expect(told([flag, 'eip-pool/register', loads])).toEqual([ALL]);
  });
  it('by NODE_OPTIONS, and once where it is asked for twice', () => {
    const env = { NODE_OPTIONS: '--import=eip-pool/register' };
    expect(told(['--require', 'eip-pool/register', loads], env)).toEqual([ALL]);
  });
  it.each(['worker', 'cluster'])('in a %s too', (kind) => {
    expect(told(['--import', 'eip-pool/register', loads, kind])).toEqual([ALL, ALL]);
  });
});

describe('register', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'eip-pool-register-'));
    writeFileSync(path.join(folder, 'package.json'), '{}');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(file: string, text: string): string {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
    return path.join(folder, file);
  }

  it.each([
    ['{"nams": []}', 'EIP_POOL: option config.nams: no such option; did you mean config.names?'],
    ['{"failover": {"drainMillis": -1}}', 'EIP_POOL: option failover.drainMillis: expected a number of milliseconds'],
    ['{"byName": {"db": {"follow": {"mode": 1}}}}', 'EIP_POOL: option config.byName.db.follow.mode: expected'],
    ['secret', 'EIP_POOL: expected an object in JSON'],
  ])('says what is wrong in %s, and where, before the application starts', (EIP_POOL, message) => {
    const { status, stdout, stderr } = run(['--require', entry, '-e', 'console.log(1)'], { EIP_POOL });
    expect(stderr).toContain(message);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).not.toContain('secret');
  });

  it('reads eip-pool.json beside the package.json of the program', () => {
    const file = write('eip-pool.json', '{"names": "db"}');
    const { stderr } = run(['--require', entry, write('src/app.cjs', '')]);
    expect(stderr).toContain(`${file}: option config.names: expected an array of host names, got 'db'`);
  });

  it('leaves a version alone that no adapter is for, and says so', () => {
    write('node_modules/pg/package.json', '{"name": "pg", "version": "8.15.6"}');
    write('node_modules/pg/lib/index.js', 'exports.Pool = class Pool {}');
    const { stdout, stderr } = run([
      '--require',
      entry,
      write('app.cjs', "console.log(require('pg/lib/index.js').Pool)"),
    ]);
    expect(stdout.trim()).toBe('[class Pool]');
    expect(stderr).toMatch(/pg 8\.15\.6 in .* does not follow names: expected 8\.16 or later, below 9/);
  });

  it('loads neither a driver nor an adapter before the application does', () => {
    const tell = 'JSON.stringify(Object.keys(require.cache))';
    const files = JSON.parse(run(['--require', entry, '-p', tell]).stdout) as string[];
    expect(files.map((file) => path.relative(path.join(root, 'dist/cjs'), file)).toSorted()).toEqual([
      'errors.js',
      'register/entries.js',
      'register/index.js',
      'register/places.js',
    ]);
  });

  it('says what it took over, in which version, and that it cannot see what is bundled', () => {
    const env = { NODE_DEBUG: 'eip-pool' };
    const { version } = JSON.parse(readFileSync(path.join(root, 'node_modules/pg/package.json'), 'utf8')) as {
      version: string;
    };
    expect(run(['--require', entry, '-e', "require('pg')"], env).stderr).toContain(`pg ${version} was taken over: `);
    expect(run(['--require', entry, '-e', '1'], env).stderr).toContain(
      'a copy that is bundled into the application cannot be seen',
    );
  });

  it('takes over what the peer ranges of the package name', () => {
    const { peerDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      peerDependencies: Record<string, string>;
    };
    for (const [driver, { from, below }] of Object.entries(SUPPORTED)) {
      expect(peerDependencies[driver]).toBe(`>=${from.join('.')}.0 <${below}`);
    }
  });
});
