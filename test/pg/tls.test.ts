import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool } from '../../src/pg/index.js';
import { configOf, fill, makePool, moved, portOf, serverOf, settled, startServers } from './support.js';

const fixture = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
/** Valid for db.example.com and for nothing else, least of all for an address. */
const cert = fixture('tls.crt');
let lab: Lab;

beforeAll(async () => {
  lab = await startServers({ postgres: { ssl: { key: fixture('tls.key'), cert } } });
}, 60_000);
afterAll(async () => {
  await lab?.close();
});

describe('TLS', () => {
  it('verifies the name while an address is dialled', async () => {
    const pool = makePool(lab, { ssl: { ca: cert } });
    const { rows } = await pool.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
    await pool.end();
  });

  it('refuses a certificate of another name, at once and before a password is sent', async () => {
    const resolver = { address: lab.hosts[0]!.address };
    const pool = new Pool({ ...configOf(lab), host: 'other.example.com', ssl: { ca: cert }, follow: { resolver } });
    expect((await settled(pool.query('select 1'))).error?.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    const unknown = makePool(lab, { ssl: true });
    expect((await settled(unknown.query('select 1'))).error?.code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
    await Promise.all([pool.end(), unknown.end()]);
  });

  it('a statement that takes long outlives a certificate that is rotated, which no new connection trusts', async () => {
    const pool = makePool(lab, { max: 1, ssl: { ca: cert }, failover: { silenceMillis: 250, replay: 'none' } });
    await fill(pool, 1);
    const rotate = async (name: string): Promise<void> => {
      const { database } = lab.hosts[0]!;
      const [row] = await database.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
      for (const end of ['crt', 'key']) writeFileSync(join(row!.folder, `server.${end}`), fixture(`${name}.${end}`));
      await database.query('select pg_reload_conf()');
    };
    const newConnection = async (): Promise<string | undefined> => {
      const client = new Client(configOf(lab, { ssl: { ca: cert } }));
      const { error } = await settled(client.connect());
      await client.end();
      return error?.code;
    };
    await rotate('rotated');
    await expect.poll(newConnection).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
    expect((await settled(pool.query('select pg_sleep(4)'))).error).toBeUndefined();
    expect(pool.endpoint!.state).toBe('steady');
    await rotate('tls');
    await expect.poll(newConnection).toBeUndefined();
    await pool.end();
  });

  it('starts at once where direct negotiation is asked for', async () => {
    const client = new Client(configOf(lab, { ssl: { ca: cert }, sslnegotiation: 'direct' } as never));
    await client.connect();
    expect(await serverOf(client)).toBe(portOf(lab, 0));
    await client.end();
  });

  it('connections move, drain and are cut as plain ones', async () => {
    const pool = makePool(lab, { ssl: { ca: cert }, failover: { drainMillis: 60_000, replay: 'none' } });
    await fill(pool);
    const lease = await pool.connect();
    const stuck = settled(pool.query('select pg_sleep(30)'));
    await expect.poll(() => pool.idleCount).toBe(8);
    lab.hosts[0]!.stall();
    const move = moved(pool);
    await lab.move(lab.hosts[1]!);
    await move;
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect((await stuck).error).toMatchObject({ code: 'ADDRESS_DEAD' });
    lease.release();
    await pool.end();
  });
});
