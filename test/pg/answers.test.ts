import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool, type PoolConfig } from '../../src/pg/index.js';
import { configOf, makePool, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;

/** It commits, and only then raises what it is told to. */
const QUOTA = `create procedure quota(code text, said text) language plpgsql as $$
  begin insert into w values (1); commit; raise exception '%', said using errcode = code; end $$`;

beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
  await lab.hosts[0]!.database.query(`create table w (n int); grant all on w to app; ${QUOTA}`);
}, 60_000);
afterEach(async () => {
  await pool?.end();
});
afterAll(async () => {
  await lab?.close();
});

async function written(): Promise<number> {
  return (await lab.hosts[0]!.database.query('with gone as (delete from w returning n) select n from gone')).length;
}

it.each(['connect', 'query'] as const)('what %s() fails with has a stack that leads to who called', async (method) => {
  const hook = (): never => {
    throw new Error('the hook failed');
  };
  pool = makePool(lab, { onConnect: hook });
  async function application(): Promise<unknown> {
    return await (method === 'connect' ? pool.connect() : pool.query('select 1'));
  }
  const { error } = await settled(application());
  expect(error).toMatchObject({ message: 'the hook failed', stack: expect.stringContaining('application') });
});

describe('an ordinary error that says what a leaving or a full server would is the answer to its statement:', () => {
  it.each([
    ['53300', 'this tenant has too many connections'],
    ['57P03', 'the tenant is being migrated'],
    ['57P01', 'the tenant is gone'],
    ['08006', 'no connection to the archive'],
    ['P0001', 'Client was closed and is not queryable'],
    ['P0001', 'Client has encountered a connection error and is not queryable'],
    ['P0001', 'timeout exceeded when trying to connect'],
  ])('%s, %s: its statement is not run again', async (code, said) => {
    pool = makePool(lab);
    const replays: ReplayEvent[] = [];
    pool.endpoint!.on('replay', (event) => void replays.push(event));
    const text = 'call quota($1, $2)';
    const ways = [
      pool.query(text, [code, said]),
      pool.query({ text, values: [code, said], name: 'quota' }),
      pool.query(`call quota('${code}', '${said}')`),
      new Promise((resolve, reject) => {
        pool.query(text, [code, said], (error, result) => (error == null ? resolve(result) : reject(error)));
      }),
    ];
    for (const { error } of await Promise.all(ways.map(settled))) {
      expect([error?.code, error?.message, outcomeOf(error)]).toEqual([code, said, undefined]);
    }
    expect([await written(), replays]).toEqual([ways.length, []]);
  });

  it('a transaction whose savepoint undid it goes on', async () => {
    pool = makePool(lab);
    await pool.transaction(async (tx) => {
      const raise = `do $$ begin raise exception 'x' using errcode = '08006'; end $$`;
      await settled(tx.transaction((inner) => inner.query(raise)));
      await tx.query('insert into w values (1)');
    });
    expect(await written()).toBe(1);
  });

  it('a hook for new connections that meets it fails as in pg, and runs once', async () => {
    let runs = 0;
    const verify = (client: { query(text: string): Promise<unknown> }, told: (error?: Error) => void): void => {
      runs++;
      client.query("call quota('53300', 'full')").then(() => told(), told);
    };
    pool = makePool(lab, { verify });
    const client = await settled(pool.connect());
    expect([client.error?.message, runs, await written()]).toEqual(['full', 1, 1]);
  });
});

describe('a failure of this process', () => {
  it.each<[string, object, object | string]>([
    ['a value that cannot be sent', {}, { text: 'select $1::text', values: [{ toPostgres: refuse }] }],
    ['a type parser that throws', {}, { text: 'select 1 as n', types: { getTypeParser: () => refuse } }],
    ['a hook that fails', { verify: (_: unknown, told: (error: Error) => void) => told(new Error('no')) }, 'select 1'],
  ])('is told at once, and takes no other connection: %s', async (_, options, query) => {
    pool = makePool(lab, { max: 1, ...options });
    let made = 0;
    pool.on('connect', () => made++);
    const { error } = await settled(pool.query(query as string));
    expect([error?.message, made]).toEqual(['no', 1]);
  });
});

function refuse(): never {
  throw new Error('no');
}

describe('of what fails before its connection has logged in, nothing was sent:', () => {
  it.each([
    ['a password function that rejects', { password: () => Promise.reject(new Error('no token')) }, 'no token'],
    ['a password that is none', { password: () => 7 as unknown as string }, 'Password must be a string'],
    ['a server without TLS', { ssl: true }, 'The server does not support SSL connections'],
  ] as const)('%s', async (_, options: PoolConfig, message) => {
    pool = makePool(lab, options);
    const { error } = await settled(pool.query('insert into w values (1)'));
    expect([error?.message, outcomeOf(error)]).toEqual([message, 'not-sent']);
    const client = new Client(configOf(lab, options));
    const connecting = settled(client.connect());
    const queued = settled(client.query('insert into w values (1)'));
    expect(outcomeOf((await connecting).error)).toBe('not-sent');
    await client.end();
    expect([outcomeOf((await queued).error), await written()]).toEqual(['not-sent', 0]);
  });

  it('a server that hangs up in the middle of the login', async () => {
    const server = net.createServer((peer) => peer.once('data', () => peer.end()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    pool = new Pool({ host: 'localhost', port, user: 'u' });
    const { error } = await settled(pool.query('insert into w values (1)'));
    expect([error?.message, outcomeOf(error)]).toEqual(['Connection terminated unexpectedly', 'not-sent']);
    server.close();
  });
});

describe('a statement that waits for its turn on a lease', () => {
  it('was not sent where the connection ends before, whatever became of the one that ran', async () => {
    pool = makePool(lab);
    const client = await pool.connect();
    client.on('error', () => {});
    const running = settled(client.query('select pg_sleep(30)'));
    const waiting = settled(client.query('insert into w values (1)'));
    await expect
      .poll(
        async () =>
          (await lab.hosts[0]!.database.query("select from pg_stat_activity where wait_event = 'PgSleep'")).length,
      )
      .toBe(1);
    await lab.hosts[0]!.database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'",
    );
    expect(outcomeOf((await running).error)).toBe('unknown');
    expect([outcomeOf((await waiting).error), await written()]).toEqual(['not-sent', 0]);
    client.release(true);
  });
});
