import stock from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { follow } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import following, * as ours from '../../src/pg/index.js';
import { Client, Pool, type PoolConfig } from '../../src/pg/index.js';
import { asInstance, withHiddenPassword } from '../unusual-options.js';
import { configOf, makePool, next, portOf, serverOf, settled, startServers } from './support.js';

let lab: Lab;
const open: { end(): Promise<void> }[] = [];
const track = <T extends { end(): Promise<void> }>(thing: T): T => {
  open.push(thing);
  return thing;
};

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.end().catch(() => {});
});
afterAll(async () => {
  await lab?.close();
});

describe('the exports', () => {
  it('are those of pg, with the pool and the client in place of its own', () => {
    for (const name of Object.keys(stock) as (keyof typeof stock)[]) {
      if (name === 'Pool' || name === 'Client' || name === 'native') continue;
      expect((ours as Record<string, unknown>)[name] ?? following[name], name).toBe(stock[name]);
    }
    expect(following.Pool).toBe(Pool);
    expect(following.Client).toBe(Client);
    expect(following.types).toBe(stock.types);
  });

  it('are subclasses, so that libraries that look for pg.Pool and pg.Client find them', () => {
    const pool = track(new Pool({ host: '127.0.0.1' }));
    expect(pool).toBeInstanceOf(stock.Pool);
    expect(new Client({ host: '127.0.0.1' })).toBeInstanceOf(stock.Client);
  });
});

describe('a pool', () => {
  it('follows the host of its config', async () => {
    const pool = track(makePool(lab));
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(pool.endpoint?.name).toBe(lab.name);
    expect(pool.endpoint?.current?.chain).toEqual([lab.publicName]);
  });

  it('follows the host of a connection string, which is over the config', async () => {
    const { user, password, database } = lab.connection!;
    const connectionString = `postgres://${user}:${password}@${lab.name}:${lab.port}/${database}`;
    const pool = track(new Pool({ connectionString, host: 'elsewhere.example.com', follow: { servers: lab.servers } }));
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(pool.endpoint?.name).toBe(lab.name);
  });

  it.each([
    ['an instance of a class', asInstance],
    ['an object that hides its password', withHiddenPassword],
  ])('and a client take for their config %s', async (_, unusual) => {
    const pool = track(new Pool(unusual(configOf(lab))));
    const client = track(new Client(unusual(configOf(lab))));
    await client.connect();
    expect([await serverOf(pool), await serverOf(client)]).toEqual([portOf(lab, 0), portOf(lab, 0)]);
    expect([pool.endpoint?.name, client.endpoint?.name]).toEqual([lab.name, lab.name]);
    expect(Object.keys(pool.options)).not.toContain('password');
  });

  it('follows PGHOST', async () => {
    process.env['PGHOST'] = lab.name;
    try {
      const { host: _, ...config } = configOf(lab);
      const pool = track(new Pool(config));
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
      expect(pool.endpoint?.name).toBe(lab.name);
    } finally {
      delete process.env['PGHOST'];
    }
  });

  it.each(['127.0.0.1', '::1', '/var/run/postgresql'])('with the host %s is pg.Pool, and has no endpoint', (host) => {
    expect(track(new Pool({ host })).endpoint).toBeNull();
    expect(new Client({ host }).endpoint).toBeNull();
  });

  it('with an address for its host works, and its errors are those of pg', async () => {
    const pool = track(new Pool({ ...configOf(lab), follow: undefined, host: lab.hosts[0]!.address }));
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    const refused = track(new Pool({ host: lab.hosts[0]!.address, port: 1 }));
    expect((await settled(refused.query('select 1'))).error).toMatchObject({ code: 'ECONNREFUSED', port: 1 });
  });

  it('whose caller makes the sockets himself is pg.Pool', () => {
    const stream = () => new stock.Connection().stream as never;
    expect(track(new Pool({ host: lab.name, stream })).endpoint).toBeNull();
  });

  it('asks an async password for each connection', async () => {
    const { password, ...rest } = configOf(lab, { max: 2 });
    let asked = 0;
    const pool = track(
      new Pool({
        ...rest,
        password: async () => {
          asked++;
          return password as string;
        },
      }),
    );
    await Promise.all([pool.query('select pg_sleep(0.05)'), pool.query('select pg_sleep(0.05)')]);
    expect(asked).toBe(2);
  });

  it('runs onConnect and verify before a client is handed out for the first time', async () => {
    const seen: string[] = [];
    const pool = track(
      makePool(lab, {
        max: 1,
        onConnect: async (client) => {
          await client.query("set application_name = 'hooked'");
          seen.push('onConnect');
        },
        verify: (_client: unknown, done: (error?: Error) => void) => {
          seen.push('verify');
          done();
        },
      }),
    );
    const { rows } = await pool.query('show application_name');
    await pool.query('select 1');
    expect(rows).toEqual([{ application_name: 'hooked' }]);
    expect(seen).toEqual(['onConnect', 'verify']);
  });

  it('tells of its connections with the events and counters of pg.Pool', async () => {
    const pool = track(makePool(lab, { max: 2 }));
    const seen: string[] = [];
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const) pool.on(event, () => seen.push(event));
    const client = await pool.connect();
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 0, 0]);
    client.release();
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
    const removed = next(pool, 'remove');
    (await pool.connect()).release(true);
    await removed;
    expect(seen).toEqual(['connect', 'acquire', 'release', 'acquire', 'release', 'remove']);
  });

  it.each(['broken', 1, Symbol('x'), {}])('throws away what is given back with %o', async (word) => {
    const pool = track(makePool(lab, { max: 1 }));
    (await pool.connect()).release(word as never);
    expect(pool.totalCount).toBe(0);
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
  });

  it('takes callbacks wherever pg.Pool does', async () => {
    const pool = track(makePool(lab));
    const rows = await new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (client === undefined) return reject(error);
        client.query('select 1 as one', (queryError, result) => {
          release();
          if (queryError) reject(queryError);
          else resolve(result.rows);
        });
      });
    });
    expect(rows).toEqual([{ one: 1 }]);
    const first = await new Promise((resolve, reject) => {
      pool.query('select $1::int as n', [7], (error, result) => (error ? reject(error) : resolve(result.rows)));
    });
    expect(first).toEqual([{ n: 7 }]);
  });

  it('says what applications look for in the words of pg.Pool', async () => {
    const pool = makePool(lab, { max: 1, connectionTimeoutMillis: 1_000 });
    const client = await pool.connect();
    expect((await settled(pool.connect())).error?.message).toBe('timeout exceeded when trying to connect');
    client.release();
    expect(() => client.release()).toThrow('Release called on client which has already been released to the pool.');
    await pool.end();
    expect((await settled(pool.end())).error?.message).toBe('Called end on pool more than once');
    expect((await settled(pool.connect())).error?.message).toBe('Cannot use a pool after calling end on the pool');
  });

  it('carries its endpoint into a copy of its options', async () => {
    const pool = track(makePool(lab));
    const copy = track(new stock.Pool({ ...pool.options, password: lab.connection!.password }));
    expect(await serverOf(copy as Pool)).toBe(portOf(lab, 0));
    const again = track(new Pool({ ...pool.options, password: lab.connection!.password }));
    expect(again.endpoint).toBe(pool.endpoint);
    const Made = (pool as unknown as { Client: typeof stock.Client }).Client;
    const client = track(new Made(pool.options));
    await client.connect();
    expect(await serverOf(client)).toBe(portOf(lab, 0));
  });

  it('makes its connections with the class that its caller gives, on sockets that follow', async () => {
    class Mine extends stock.Client {}
    const pool = track(new Pool({ ...configOf(lab), Client: Mine }));
    const client = await pool.connect();
    expect(client).toBeInstanceOf(Mine);
    const moved = next(pool.endpoint!, 'move');
    await lab.move(lab.hosts[0]!);
    await moved;
    client.release();
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(pool.totalCount).toBe(1);
  });

  it('leaves a shared endpoint open when it ends', async () => {
    const endpoint = follow(lab.name, { servers: lab.servers });
    const { follow: _, ...config } = configOf(lab);
    const [first, second] = [new Pool({ ...config, endpoint }), new Pool({ ...config, endpoint })];
    await first.query('select 1');
    await first.end();
    expect(await serverOf(second)).toBe(portOf(lab, 0));
    await second.end();
    expect(endpoint.state).toBe('steady');
    endpoint.close();
  });

  it('hands a wrong password to its caller at once, also when it has had connections', async () => {
    const pool = track(makePool(lab, { password: 'wrong' }));
    expect((await settled(pool.query('select 1'))).error?.code).toBe('28P01');
    let password = lab.connection!.password;
    const later = track(makePool(lab, { max: 1, password: () => password }));
    await later.query('select 1');
    password = 'wrong';
    (await later.connect()).release(true);
    expect((await settled(later.query('select 1'))).error?.code).toBe('28P01');
  });

  it('that has never had a connection fails at once, as pg.Pool does', async () => {
    const host = lab.hosts[0]!;
    host.refuse();
    try {
      const pool = track(makePool(lab));
      expect((await settled(pool.query('select 1'))).error).toMatchObject({
        code: 'ECONNREFUSED',
        address: host.address,
      });
      const unknown = track(makePool(lab, { host: 'nowhere.invalid', follow: {} }));
      expect((await settled(unknown.query('select 1'))).error?.code).toMatch(
        /^(ENOTFOUND|EAI_AGAIN|EREFUSED|ESERVFAIL)$/,
      );
    } finally {
      await host.restore();
    }
  });

  it('waits for its first server if it is asked to', async () => {
    const host = lab.hosts[0]!;
    host.refuse();
    const pool = track(makePool(lab, { failover: { waitAtStart: true } }));
    const down = next(pool.endpoint!, 'down');
    const query = serverOf(pool);
    await down;
    await host.restore();
    expect(await query).toBe(portOf(lab, 0));
  });
});

describe('a client', () => {
  it('dials where the name points', async () => {
    const client = new Client(configOf(lab));
    await client.connect();
    expect(await serverOf(client)).toBe(portOf(lab, 0));
    const endpoint = client.endpoint!;
    await client.end();
    expect(endpoint.state).toBe('closed');
  });

  it('takes a connection string', () => {
    const client = new Client(`postgres://app@${lab.name}:${lab.port}/app`);
    expect(client.endpoint?.name).toBe(lab.name);
    expect(client.port).toBe(lab.port);
  });

  it('ends without an unhandled error when the name leaves its address, and says why', async () => {
    const client = new Client(configOf(lab, { failover: { drainMillis: 0 } }));
    await client.connect();
    const ended = new Promise((resolve) => client.once('end', resolve));
    const error = new Promise<Error>((resolve) => client.once('error', resolve));
    await lab.move(lab.hosts[0]!);
    expect(await error).toMatchObject({ code: 'ADDRESS_LEFT' });
    await ended;
  });
});

describe('a wrong option', () => {
  it.each([
    ['failover.drainMillis', { failover: { drainMillis: -1 } }],
    ['failover.deadlineMillis', { failover: { deadlineMillis: Number.NaN } }],
    ['failover.waitAtStart', { failover: { waitAtStart: 'yes' } }],
    ['failover.drainMilis', { failover: { drainMilis: 1 } }],
    ['failover', { failover: 'fast' }],
    ['follow.intervalMillis', { follow: { intervalMillis: '1000' } }],
    ['follow.allow', { follow: { allow: ['10.0.0.0/33'] } }],
    ['endpoint', { endpoint: {} }],
    ['host', { host: '127.0.0.1', follow: {} }],
  ])('is a coded error that names %s', (name, config) => {
    const make = (): unknown => new Pool({ host: 'db.example.com', ...config } as PoolConfig);
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`option ${name}`) }),
    );
  });

  it('names the option that was probably meant', () => {
    expect(() => new Pool({ host: 'a.b', failover: { drainMilis: 1 } } as PoolConfig)).toThrow(
      /failover\.drainMillis\?/,
    );
  });

  it('is also two that exclude each other', () => {
    const endpoint = follow('db.example.com', { resolver: { address: '127.0.0.1' } });
    expect(() => new Pool({ endpoint, follow: {} })).toThrow(/leave out follow or endpoint/);
    expect(() => new Pool({ host: 'a.b', follow: {}, stream: (() => null) as never })).toThrow(/option stream/);
    endpoint.close();
  });
});
