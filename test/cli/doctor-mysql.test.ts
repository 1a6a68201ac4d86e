import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { onServers, onServersWith, startServers } from '../mysql2/support.js';
import { eipPool, withoutAws } from './support.js';

interface Line {
  readonly check: string;
  readonly level: string;
  readonly text: string;
}

const fixture = (name: string): string => readFileSync(new URL(`../pg/fixtures/${name}`, import.meta.url), 'utf8');

async function checksOf(lab: Lab): Promise<ReadonlyMap<string, Line>> {
  const { user, password, database } = lab.connection!;
  const url = `mysql://${user}:${password}@${lab.name}:${lab.port}/${database}`;
  const args = ['doctor', lab.name, '--server', lab.servers[0]!, '--no-aws', '--url', url, '--json'];
  const { json } = await eipPool(args);
  return new Map((json[0]!['findings'] as Line[]).map((line) => [line.check, line]));
}

beforeAll(async () => {
  withoutAws();
  await import('../../src/mysql2/promise.js');
});
afterAll(() => void vi.unstubAllEnvs());

onServers('the doctor, of a server of MySQL’s protocol', () => {
  let plain: Lab;

  beforeAll(async () => {
    plain = await startServers({ hosts: 1 });
  }, 60_000);
  afterAll(async () => {
    await plain?.close();
  });

  it('logs in, and says its role and that it offers no TLS', async () => {
    const checks = await checksOf(plain);
    expect(checks.get('login')).toMatchObject({ level: 'ok', text: expect.stringContaining('writable') as string });
    expect(checks.get('tls')).toMatchObject({ level: 'warn', text: 'the server offers no TLS' });
  });

  it('says that a server takes no writes', async () => {
    await plain.hosts[0]!.database.query('set global read_only = 1');
    expect((await checksOf(plain)).get('login')).toMatchObject({ level: 'warn' });
  });
});

onServersWith('TLS 1.2', 'the doctor, of a server of MySQL’s protocol with TLS', () => {
  let secure: Lab;

  beforeAll(async () => {
    secure = await startServers({ hosts: 1, mariadb: { ssl: { key: fixture('tls.key'), cert: fixture('tls.crt') } } });
  }, 60_000);
  afterAll(async () => {
    await secure?.close();
  });

  it('compares the name with its certificate', async () => {
    const tls = (await checksOf(secure)).get('tls');
    expect(tls?.text).toMatch(/^the certificate is for db\.example\.com, but not trusted/);
  });

  it('leaves no connection that counts as aborted', async () => {
    const [before] = await aborted();
    await checksOf(secure);
    expect(await aborted()).toEqual([before]);
  });

  async function aborted(): Promise<string[]> {
    const rows = await secure.hosts[0]!.database.query<{ Value: string }>("show global status like 'Aborted_connects'");
    return rows.map(({ Value }) => Value);
  }
});
