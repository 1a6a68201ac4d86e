import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, probeRealNetwork, runInNetwork } from '../../../src/lab/index.js';
import { portOf, resetLab, serverOf, settled, startServers } from '../../pg/support.js';
import { findProgram } from '../../server-program.js';
import { suiteWith } from '../../suite-with.js';
import { endProxies, ProxyProcess } from './support.js';

let lab: Lab;
const clients: pg.Client[] = [];

/** The driver as it is, which knows nothing of names that move. */
async function login(proxy: ProxyProcess): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port: proxy.port(), ...lab.connection });
  client.on('error', () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const start = (...args: string[]): Promise<ProxyProcess> =>
  ProxyProcess.start(['--listen', '127.0.0.1:0', `${lab.name}:${lab.port}`, '--server', lab.servers[0]!, ...args]);

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  await endProxies();
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
});
afterAll(async () => {
  await lab?.close();
});

describe('while the name moves', () => {
  it('a session may go on for drainMillis and is broken then, and a new one is on the new server', async () => {
    const proxy = await start('--drain', '3000');
    const old = await login(proxy);
    expect(await serverOf(old)).toBe(portOf(lab, 0));
    await lab.move(lab.hosts[1]!);
    await proxy.event('move');
    expect(await serverOf(await login(proxy))).toBe(portOf(lab, 1));
    expect(await serverOf(old)).toBe(portOf(lab, 0));
    const stuck = await settled(old.query('select pg_sleep(60)'));
    expect(stuck.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('a session is broken at once where drainMillis are 0', async () => {
    const proxy = await start('--drain', '0');
    const old = await login(proxy);
    const stuck = settled(old.query('select pg_sleep(60)'));
    await lab.move(lab.hosts[1]!);
    expect((await stuck).error).toMatchObject({ code: 'ECONNRESET' });
    expect(await serverOf(await login(proxy))).toBe(portOf(lab, 1));
  });

  it('a server that was killed ends its sessions, and whoever comes then waits for the next one', async () => {
    const proxy = await start();
    const old = await login(proxy);
    const stuck = settled(old.query('select pg_sleep(60)'));
    await lab.hosts[0]!.database.kill();
    try {
      expect((await stuck).error).toBeInstanceOf(Error);
      const waiting = login(proxy);
      await proxy.event('down');
      await lab.move(lab.hosts[1]!);
      expect(await serverOf(await waiting)).toBe(portOf(lab, 1));
      await proxy.event('recovered');
    } finally {
      await lab.hosts[0]!.database.restart();
    }
  });

  it('a server that is stopped is found dead where it can be asked, and its sessions are broken before the name moves', async () => {
    const proxy = await start('--protocol', 'postgres');
    const stuck = settled((await login(proxy)).query('select pg_sleep(60)'));
    await lab.hosts[0]!.database.suspend();
    try {
      expect((await stuck).error).toMatchObject({ code: 'ECONNRESET' });
      await lab.move(lab.hosts[1]!);
      await proxy.event('move');
      expect(await serverOf(await login(proxy))).toBe(portOf(lab, 1));
    } finally {
      await lab.hosts[0]!.database.resume();
    }
  });

  it('a server that is stopped keeps its sessions where it cannot be asked, until the name has moved', async () => {
    const proxy = await start('--drain', '500');
    const session = await login(proxy);
    await lab.hosts[0]!.database.suspend();
    try {
      const stuck = settled(session.query('select 1'));
      await lab.move(lab.hosts[1]!);
      await proxy.event('move');
      expect((await stuck).error).toMatchObject({ code: 'ECONNRESET' });
    } finally {
      await lab.hosts[0]!.database.resume();
    }
  });

  it('a busy server is left alone, however long it says nothing', async () => {
    const proxy = await start('--protocol', 'postgres');
    const session = await login(proxy);
    expect((await session.query('select pg_sleep(5), 7 as seven')).rows).toMatchObject([{ seven: 7 }]);
  });
});

suiteWith('psql', 'psql through the proxy', () => {
  const run = promisify(execFile);
  const psql = async (proxy: ProxyProcess, sql: string): Promise<string> => {
    const { user, password, database } = lab.connection!;
    const place = ['-h', '127.0.0.1', '-p', String(proxy.port()), '-U', user, '-d', database];
    const env = { ...process.env, PGPASSWORD: password, PGCONNECT_TIMEOUT: '20' };
    const { stdout } = await run(findProgram('psql')!, [...place, '-XAtc', sql], { env });
    return stdout.trim();
  };

  it('waits while the server is gone, and is answered by the one to which the name moves', async () => {
    const proxy = await start();
    expect(await psql(proxy, 'select inet_server_port()')).toBe(String(portOf(lab, 0)));
    await lab.hosts[0]!.database.kill();
    try {
      const answer = psql(proxy, 'select inet_server_port()');
      await proxy.event('down');
      await lab.move(lab.hosts[1]!);
      expect(await answer).toBe(String(portOf(lab, 1)));
    } finally {
      await lab.hosts[0]!.database.restart();
    }
  });
});

const network = await probeRealNetwork();
const why = network.available ? '' : ` (skipped: ${network.reason})`;
const root = fileURLToPath(new URL('../../..', import.meta.url));

it.skipIf(!network.available)(
  `the tests with packets that get lost pass in a network of their own${why}`,
  async () => {
    let output = '';
    const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
    const status = await runInNetwork(
      [process.execPath, vitest, 'run', 'test/cli/proxy', '--config', 'test/vitest.network.config.ts'],
      { cwd: root, env: { NO_COLOR: '1', VITEST: '' }, onOutput: (text) => (output += text) },
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(/Tests\s+\d+ passed/);
  },
  240_000,
);
