import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createConnection, createPool, type Pool, type PoolOptions } from '../../src/mysql2/index.js';
import {
  configOf,
  countsOf,
  end,
  fill,
  lease,
  makePool,
  moved,
  next,
  onServersWith,
  portOf,
  resetLab,
  serverOf,
  settled,
  startServers,
} from './support.js';

const fixture = (name: string): string => readFileSync(new URL(`../pg/fixtures/${name}`, import.meta.url), 'utf8');
/** Valid for db.example.com and for nothing else, least of all for an address. */
const cert = fixture('tls.crt');
let lab: Lab;

const isEncrypted = async (pool: Pool): Promise<boolean> => {
  const [rows] = await pool.promise().query("show session status like 'Ssl_cipher'");
  return (rows as { Value: string }[])[0]!.Value !== '';
};

onServersWith('TLS 1.2', 'TLS of a mysql2 pool', () => {
  beforeAll(async () => {
    lab = await startServers({ mariadb: { ssl: { key: fixture('tls.key'), cert } } });
  }, 60_000);
  afterAll(async () => {
    await lab?.close();
  });

  it('verifies the name while an address is dialled', async () => {
    const pool = makePool(lab, { ssl: { ca: cert, verifyIdentity: true } });
    expect(await isEncrypted(pool)).toBe(true);
    await end(pool);
  });

  it('a statement that takes long outlives a certificate that is rotated, which no new connection trusts', async () => {
    const ssl = { ca: cert, verifyIdentity: true };
    const pool = makePool(lab, { connectionLimit: 1, ssl, failover: { silenceMillis: 250, replay: 'none' } });
    await fill(pool, 1);
    const { database } = lab.hosts[0]!;
    const [paths] = await database.query<{ crt: string; key: string }>('select @@ssl_cert as crt, @@ssl_key as `key`');
    const rotate = async (name: string): Promise<void> => {
      for (const end of ['crt', 'key'] as const) writeFileSync(paths![end], fixture(`${name}.${end}`));
      await database.query('flush ssl');
    };
    const newConnection = async (): Promise<string | undefined> => {
      const other = makePool(lab, { connectionLimit: 1, ssl });
      const { error } = await settled(other.promise().query('select 1'));
      await end(other);
      return error?.code;
    };
    await rotate('rotated');
    expect(await newConnection()).toMatch(/HANDSHAKE_SSL_ERROR|SELF_SIGNED|UNABLE_TO_VERIFY/);
    expect((await settled(pool.promise().query('select sleep(4)'))).error).toBeUndefined();
    expect(pool.endpoint!.state).toBe('steady');
    await rotate('tls');
    expect(await newConnection()).toBeUndefined();
    await end(pool);
  });

  it('refuses a certificate of another name, at once and before a password is sent', async () => {
    const follow = { resolver: { address: lab.hosts[0]!.address } };
    const pool = createPool({
      ...configOf(lab),
      host: 'other.example.com',
      ssl: { ca: cert, verifyIdentity: true },
      follow,
    });
    const { error } = await settled(pool.promise().query('select 1'));
    expect(error).toMatchObject({ code: 'HANDSHAKE_SSL_ERROR', message: expect.stringContaining('other.example.com') });
    await end(pool);
  });

  it('without verifyIdentity takes any name, as mysql2 does, and says so once', async () => {
    const follow = { resolver: { address: lab.hosts[0]!.address } };
    const pool = createPool({ ...configOf(lab), host: 'other.example.com', ssl: { ca: cert }, follow });
    const warnings: string[] = [];
    pool.endpoint!.on('warning', ({ code }) => void warnings.push(code));
    await fill(pool, 3);
    expect(await isEncrypted(pool)).toBe(true);
    expect(warnings).toEqual(['NAME_NOT_VERIFIED']);
    await end(pool);
    const told = makePool(lab, { ssl: { ca: cert, verifyIdentity: false } });
    told.endpoint!.on('warning', ({ code }) => void warnings.push(code));
    await fill(told, 1);
    expect(warnings).toHaveLength(1);
    await end(told);
  });

  it('connections move, drain and are cut as plain ones', async () => {
    const pool = makePool(lab, { ssl: { ca: cert, verifyIdentity: true }, failover: { drainMillis: 60_000 } });
    await fill(pool);
    const stuck = settled(pool.promise().query('do sleep(30)'));
    await expect.poll(() => countsOf(pool).idle).toBe(9);
    lab.hosts[0]!.stall();
    const seen = moved(pool);
    await lab.move(lab.hosts[1]!);
    await seen;
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect((await stuck).error).toMatchObject({ code: 'ADDRESS_DEAD' });
    await end(pool);
    await lab.hosts[0]!.restore();
  });

  it('the end of a connection is told as often as that of a plain one', async () => {
    const seen = async (ssl: PoolOptions['ssl']): Promise<readonly string[]> => {
      const [from, to] = [lab.current, lab.hosts[1 - lab.current.index]!];
      const pool = makePool(lab, { ...(ssl && { ssl }), failover: { drainMillis: 50, replay: 'none' } });
      const single = createConnection(configOf(lab, { ...(ssl && { ssl }), failover: { drainMillis: 50 } }));
      const connected = next(single, 'connect');
      const told: string[] = [];
      const tell = (who: string) => (error: Error) => void told.push(`${who}: ${error.message.split(' at ')[0]}`);
      const [own, busy] = [await lease(pool), await lease(pool)];
      await connected;
      own.on('error', tell('lease'));
      busy.on('error', tell('busy lease'));
      single.on('error', tell('connection'));
      const work = settled(busy.promise().query('do sleep(30)'));
      await lab.move(to);
      told.push(`statement: ${(await work).error?.message.split(' at ')[0]}`);
      await expect.poll(() => from.connections).toBe(0);
      for (const one of [own, busy]) one.release();
      await end(pool);
      return told.toSorted();
    };
    expect(await seen({ ca: cert, verifyIdentity: true })).toEqual(await seen(undefined));
  });

  it.each(['the name leaves a server that is silent', 'the server is killed'] as const)(
    'what is cut off is told, or run again, as on a plain connection: %s',
    async (cut) => {
      const seen = async (ssl: { ca: string; verifyIdentity: boolean } | undefined): Promise<unknown[]> => {
        await resetLab(lab);
        const pool = makePool(lab, { ...(ssl === undefined ? {} : { ssl }), failover: { drainMillis: 300 } });
        await fill(pool);
        const own = await lease(pool);
        let inside = (): void => {};
        const begun = new Promise<void>((resolve) => (inside = resolve));
        const work = [
          serverOf(pool),
          pool.promise().query('select @@port as port, sleep(1)'),
          pool.promise().execute('select @@port as port, sleep(1)'),
          pool.promise().query('do sleep(30)'),
          own.promise().query('select sleep(30)'),
          pool.promise().transaction(async (tx) => {
            inside();
            await tx.query('select sleep(30)');
          }),
        ].map(async (one) => {
          const { value, error } = await settled<unknown>(one);
          return error === undefined ? JSON.stringify(value) : [error.code, outcomeOf(error)];
        });
        await Promise.all([work[0], begun]);
        await expect.poll(() => countsOf(pool).idle).toBe(5);
        if (cut === 'the server is killed') lab.hosts[0]!.kill();
        else lab.hosts[0]!.stall();
        const move = moved(pool);
        await lab.move(lab.hosts[1]!);
        await move;
        const told = await Promise.all(work);
        own.release();
        await end(pool);
        return told;
      };
      const plain = await seen(undefined);
      expect(await seen({ ca: cert, verifyIdentity: true })).toEqual(plain);
      expect(plain[1]).toContain(`${portOf(lab, 1)}`);
      await resetLab(lab);
    },
  );

  it('a server that dies in the middle of the handshake is waited for, like any', async () => {
    const pool = makePool(lab, { ssl: { ca: cert, verifyIdentity: true } });
    await fill(pool, 1);
    lab.current.kill();
    await expect.poll(() => countsOf(pool).idle).toBe(0);
    await lab.current.restore();
    lab.current.stall();
    const waiting = serverOf(pool);
    await expect.poll(() => lab.current.connections).toBe(1);
    const suspected = next(pool.endpoint!, 'down');
    lab.current.resetConnections();
    await suspected;
    await lab.current.restore();
    expect(await waiting).toBe(portOf(lab, lab.current.index));
    await end(pool);
  });
});
