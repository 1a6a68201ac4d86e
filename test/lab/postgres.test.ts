import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';

const run = promisify(execFile);

let lab: Lab;
const lines: string[] = [];
beforeAll(async () => {
  lab = await startLab({
    databases: 'embedded-postgres',
    postgres: { settings: { max_connections: '9' } },
    log: (line) => void lines.push(line),
  });
}, 30_000);
afterAll(() => lab.close());

async function login(address: string = lab.current.address, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...lab.connection!, host: address, port: lab.port, ...options });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function postmasterOf(index: number): number {
  return Number(
    readFileSync(join(lab.snapshot().folder!, `host-${index}`, 'data', 'postmaster.pid'), 'utf8').split('\n')[0],
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    return process.platform !== 'linux' && (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

describe('PostgreSQL behind a host', () => {
  it('lets the user of the lab in by password, with the settings that were asked for', async () => {
    const client = await login();
    const { rows } = await client.query('select current_user as u, current_database() as d');
    expect(rows).toEqual([{ u: 'app', d: 'app' }]);
    expect((await client.query('show max_connections')).rows).toEqual([{ max_connections: '9' }]);
    await client.end();
    await expect(login(undefined, { password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
  });

  it('is another server behind each host', async () => {
    const sql = 'select system_identifier as id, inet_server_port() as port from pg_control_system()';
    const both = await Promise.all(lab.hosts.map((host) => host.database.query<{ id: string; port: number }>(sql)));
    expect(both[0]![0]!.id).not.toBe(both[1]![0]!.id);
    expect(both.map((rows) => rows[0]!.port)).toEqual(lab.hosts.map((host) => host.database.port));
  });

  it('can be asked and changed as its superuser while the host refuses everybody', async () => {
    const [host] = lab.hosts;
    host!.kill();
    expect(await host!.database.query('select current_user as u')).toEqual([{ u: 'postgres' }]);
    await expect(host!.database.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    await host!.restore();
  });

  it('gives its log to the lab', () => {
    expect(lines.filter((line) => /^host-[01]: .*ready to accept connections/.test(line))).toHaveLength(2);
  });

  it('when killed drops its clients, is refused by the host, and has its data after a restart', async () => {
    const { database, address } = lab.current;
    const client = await login();
    await client.query('create table kept as select 1 as one');
    const ended = new Promise((resolve) => void client.on('end', () => resolve(true)));
    const [postmaster, port] = [postmasterOf(0), database.port];
    await database.kill();
    await ended;
    expect(isAlive(postmaster)).toBe(false);
    await expect(login()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await database.restart();
    expect(database.port).toBe(port);
    const again = await login(address);
    expect((await again.query('select one from kept')).rows).toEqual([{ one: 1 }]);
    await again.end();
  });

  it('when suspended answers nobody, and goes on where it was when resumed', async () => {
    const { database } = lab.current;
    const client = await login();
    await database.suspend();
    let answered = false;
    const asked = client.query('select 2 as two').then(({ rows }) => {
      answered = true;
      return rows as unknown;
    });
    // The other server had time for a login and a query.
    await (await login(lab.hosts[1]!.address)).end();
    expect(answered).toBe(false);
    await database.resume();
    expect(await asked).toEqual([{ two: 2 }]);
    await client.end();
  });

  it('when suspended can still be killed and restarted', async () => {
    const { database } = lab.current;
    const client = await login();
    await database.suspend();
    await database.kill();
    await database.restart();
    await (await login()).end();
    await client.end().catch(() => undefined);
  });
});

describe('a lab that ends', () => {
  it('leaves no process, no folder and no listener', async () => {
    const pids = [postmasterOf(0), postmasterOf(1)];
    const { folder } = lab.snapshot();
    const { port } = lab.current.database;
    await lab.close();
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(existsSync(folder!)).toBe(false);
    const socket = connectTcp(port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await expect(lab.current.database.restart()).rejects.toMatchObject({ code: 'LAB_UNAVAILABLE' });
  });

  const ends: ['exit' | NodeJS.Signals, string][] = [
    ['exit', 'process.exit()'],
    ['SIGTERM', 'a signal that nobody handles'],
    ['SIGKILL', 'SIGKILL'],
  ];
  it.each(ends)(
    'by %s of its process (%s) leaves no process and no folder',
    async (how) => {
      const module = new URL('../../dist/esm/lab/index.js', import.meta.url).href;
      const script = `
      import { startLab } from ${JSON.stringify(module)};
      const lab = await startLab({ databases: 'embedded-postgres', hosts: 1 });
      console.log(lab.snapshot().folder);
      process.stdin.once('data', () => process.exit());`;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const folder = String(line).trim();
      const pid = Number((await readFile(join(folder, 'host-0', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
      expect(isAlive(pid)).toBe(true);
      if (how === 'exit') child.stdin.write('now');
      else child.kill(how);
      await expect.poll(() => isAlive(pid)).toBe(false);
      await expect.poll(() => existsSync(folder)).toBe(false);
    },
    30_000,
  );
});

it('leaves nothing behind if its process ends before the lab has started', async () => {
  const module = new URL('../../dist/esm/lab/index.js', import.meta.url).href;
  const folder = await mkdtemp(join(tmpdir(), 'eip-pool-test-'));
  const script = `
    import { startLab } from ${JSON.stringify(module)};
    process.once('SIGUSR2', () => process.exit());
    await startLab({ databases: 'embedded-postgres', hosts: 1, log: () => process.kill(process.pid, 'SIGUSR2') });
    await new Promise(() => {});`;
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { env, stdio: 'inherit' });
  await chmod(folder, 0o755);
  await once(child, 'exit');
  await expect.poll(() => readdirSync(folder)).toEqual([]);
  await rm(folder, { recursive: true });
}, 30_000);

const openssl: boolean = await run('openssl', ['version']).then(
  () => true,
  () => false,
);

describe('TLS', () => {
  it.skipIf(!openssl)(
    `is offered with the given certificate${openssl ? '' : ' (needs openssl)'}`,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'eip-pool-test-'));
      const [keyout, out] = [join(folder, 'key'), join(folder, 'cert')];
      const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=db.example.com'];
      await run('openssl', [...args, '-addext', 'subjectAltName=DNS:db.example.com', '-keyout', keyout, '-out', out]);
      const [key, cert] = [await readFile(keyout, 'utf8'), await readFile(out, 'utf8')];
      await rm(folder, { recursive: true });
      await using secure = await startLab({
        databases: 'embedded-postgres',
        hosts: 1,
        postgres: { ssl: { key, cert } },
      });
      const ssl = { ca: cert, servername: secure.name };
      const options = { ...secure.connection!, host: secure.current.address, port: secure.port, ssl };
      const client = new pg.Client(options);
      await client.connect();
      expect((await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).rows).toEqual([
        { ssl: true },
      ]);
      await client.end();
    },
    30_000,
  );
});

it('names the folder and the reason where the binaries do not run', async () => {
  const starting = startLab({ databases: 'embedded-postgres', postgres: { binaries: '/nowhere' } });
  await expect(starting).rejects.toMatchObject({
    code: 'LAB_UNAVAILABLE',
    message: expect.stringContaining('/nowhere') as unknown,
  });
});

it('says which setting a server did not take', async () => {
  const starting = startLab({ databases: 'embedded-postgres', postgres: { settings: { no_such_thing: '1' } } });
  await expect(starting).rejects.toMatchObject({
    code: 'LAB_UNAVAILABLE',
    message: expect.stringContaining('no_such_thing') as unknown,
  });
}, 30_000);
