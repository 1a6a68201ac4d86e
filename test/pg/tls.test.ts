import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool, type PoolConfig } from '../../src/pg/index.js';
import { configOf, fill, makePool, moved, portOf, resetLab, serverOf, settled, startServers } from './support.js';

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

  it.each(['its time to drain is over', 'its server is found dead', 'its endpoint is closed'] as const)(
    'the end of a connection is told as often as that of a plain one: %s',
    async (end) => {
      const drainMillis = end === 'its time to drain is over' ? 50 : 60_000;
      const seen = async (ssl: PoolConfig['ssl']): Promise<readonly string[]> => {
        await resetLab(lab);
        const config = { ...(ssl && { ssl }), failover: { drainMillis, replay: 'none' } } as const;
        const [pool, client] = [makePool(lab, config), new Client(configOf(lab, config))];
        const told: string[] = [];
        const tell = (who: string) => (error: Error) => void told.push(`${who}: ${error.message.split(' at ')[0]}`);
        pool.on('error', tell('pool'));
        client.on('error', tell('client'));
        await fill(pool, 3);
        await client.connect();
        const lease = await pool.connect();
        lease.on('error', tell('lease'));
        const ends = [lease, client].map((one) => new Promise<void>((resolve) => one.once('end', resolve)));
        // One stays idle, so that a silent server can be found dead.
        const work = [lease, client, pool].map((one) => settled(one.query('select pg_sleep(30)')));
        await expect.poll(() => pool.idleCount).toBe(1);
        if (end === 'its server is found dead') lab.hosts[0]!.stall();
        if (end === 'its endpoint is closed') for (const { endpoint } of [pool, client]) endpoint!.close();
        else await lab.move(lab.hosts[1]!);
        for (const one of work) told.push(`statement: ${(await one).error?.message.split(' at ')[0]}`);
        // pg tells of the end by itself too, unless the client was told to end before.
        await Promise.all(ends);
        lease.release(true);
        await pool.end();
        return told.toSorted();
      };
      expect(await seen({ ca: cert })).toEqual(await seen(undefined));
    },
  );
});
