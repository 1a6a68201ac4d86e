import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/mysql2';
import MySQLStoreFactory from 'express-mysql-session';
import session from 'express-session';
import knex from 'knex';
import { Kysely, MysqlDialect, sql as kyselySql } from 'kysely';
import nested from 'mysql2';
import { createRequire } from 'node:module';
import { Model } from 'objection';
import { Sequelize } from 'sequelize';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { follow } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import mysql, { createPool, type Pool, wrap } from '../../src/mysql2/index.js';
import { end, onServers } from '../mysql2/support.js';
import { FOLLOW, reset, survives } from './support.js';

const PORT = 'select @@port as port';
let lab: Lab;
let pool: Pool;

function server(): { host: string; port: number; user: string; password: string; database: string } {
  return { host: lab.name, port: lab.port, ...lab.connection! };
}

onServers('on mysql2', () => {
  beforeAll(async () => {
    lab = await startLab({ databases: 'mariadb' });
  }, 60_000);
  beforeEach(async () => {
    await reset(lab);
    pool = createPool({ ...server(), follow: { servers: lab.servers, ...FOLLOW } });
  });
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('knex', async () => {
    const db = knex({ client: 'mysql2', connectionPool: pool } as never);
    await survives(lab, pool.endpoint!, async () => (await db.raw<{ port: number }[][]>(PORT))[0]![0]!.port);
    await db.destroy();
  });

  it('objection', async () => {
    class Variable extends Model {
      static override tableName = 'information_schema.global_variables';
      static override idColumn = 'VARIABLE_NAME';
      declare VARIABLE_VALUE: string;
    }
    const db = knex({ client: 'mysql2', connectionPool: pool } as never);
    await survives(lab, pool.endpoint!, async () => (await Variable.query(db).findById('port'))?.VARIABLE_VALUE);
    await db.destroy();
  });

  it('sequelize', async () => {
    const endpoint = follow(lab.name, { servers: lab.servers, ...FOLLOW });
    const { user: username, ...rest } = server();
    const stream = (): unknown => endpoint.connect(lab.port);
    const db = new Sequelize({
      dialect: 'mysql',
      ...rest,
      username,
      logging: false,
      dialectOptions: { stream },
      // Or it asks, and warns of a MySQL as old as the one that these tests may have brought along.
      ...({ databaseVersion: '8.0.0' } as object),
    });
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
    const db = new DataSource({ type: 'mysql', driver: { ...nested, createPool }, ...rest, username, extra });
    await db.initialize();
    const own = (db.driver as unknown as { pool: Pool }).pool;
    await survives(lab, own.endpoint!, async () => (await db.query<{ port: number }[]>(PORT))[0]!.port);
    await db.destroy();
  });

  it('drizzle', async () => {
    const db = drizzle({ client: pool });
    await survives(lab, pool.endpoint!, async () => {
      const [rows] = await db.execute(drizzleSql.raw(PORT));
      return (rows as unknown as { port: number }[])[0]!.port;
    });
  });

  it('kysely', async () => {
    const db = new Kysely<object>({ dialect: new MysqlDialect({ pool }) });
    await survives(lab, pool.endpoint!, async () => {
      const { rows } = await kyselySql<{ port: number }>`${kyselySql.raw(PORT)}`.execute(db);
      return rows[0]!.port;
    });
  });

  it('express-mysql-session, which brings a copy of mysql2 of its own', async () => {
    for (const { database } of lab.hosts) {
      await database.query(
        'create table sessions (session_id varchar(128) primary key, expires int unsigned, data text)',
      );
      await database.query(`insert into sessions values ('id', 4000000000, '{"port":${database.port}}')`);
    }
    const Store = MySQLStoreFactory(session as never);
    const store = new Store({ createDatabaseTable: false, clearExpired: false }, pool.promise() as never);
    await survives(lab, pool.endpoint!, async () => {
      const found = await new Promise<unknown>((resolve, reject) => {
        store.get('id', (error: unknown, value: unknown) => (error == null ? resolve(value) : reject(error)));
      });
      return (found as { port: number }).port;
    });
  });

  it('any other copy of mysql2 through wrap()', async () => {
    const require = createRequire(createRequire(import.meta.url).resolve('express-mysql-session'));
    const copy = require('mysql2') as typeof nested;
    expect(copy.createPool).not.toBe(nested.createPool);
    const own = wrap(copy).createPool({ ...server(), follow: { servers: lab.servers, ...FOLLOW } });
    expect(own).not.toBeInstanceOf(mysql.Pool);
    await survives(lab, own.endpoint!, async () => {
      const [rows] = await own.promise().query(PORT);
      return (rows as { port: number }[])[0]!.port;
    });
    await end(own);
  });
});
