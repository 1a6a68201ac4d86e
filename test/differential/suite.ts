import type fc from 'fast-check';
import type { Course, Program, Side, Stage } from './course.js';
import type { Allowance } from './differences.js';
import mysql2 from 'mysql2/promise';
import pg from 'pg';
import { GP_ALLOWANCES } from './gp-allowances.js';
import { performGp } from './gp-course.js';
import { gpPrograms } from './gp-program.js';
import { MYSQL2_ALLOWANCES } from './mysql2-allowances.js';
import { performMysql2 } from './mysql2-course.js';
import { mysql2Programs } from './mysql2-program.js';
import { MysqlProtocol } from './mysql-protocol.js';
import { PG_ALLOWANCES } from './pg-allowances.js';
import { performPg } from './pg-course.js';
import { pgPrograms } from './pg-program.js';
import { PgProtocol } from './pg-protocol.js';
import type { Ground } from './stage.js';

type AnyProgram = Program<unknown, { readonly do: string }>;

/** A driver's drop-in: programs over its API, and how to run one. */
export interface Suite extends Ground {
  readonly programs: fc.Arbitrary<AnyProgram>;
  readonly perform: (program: AnyProgram, side: Side, stage: Stage, course: Course) => Promise<void>;
  readonly allowances: readonly Allowance[];
}

const POSTGRES: Ground = {
  databases: 'embedded-postgres',
  prepare: [
    'create table done (run int not null, made_by int not null)',
    // A login costs no more than it must.
    `set scram_iterations = 1; grant all on done to app; alter role app password 'app-secret'`,
  ],
  protocol: () => new PgProtocol(),
  witness: async (place) => {
    const client = new pg.Client(place);
    await client.connect();
    return { query: async (sql) => (await client.query(sql)).rows, end: () => client.end() };
  },
};

export type Only = 'pg' | 'mysql2' | 'generic-pool';

export const SUITES: Readonly<Record<Only, Suite>> = {
  pg: {
    ...POSTGRES,
    programs: pgPrograms,
    perform: performPg as Suite['perform'],
    allowances: PG_ALLOWANCES,
  },
  mysql2: {
    databases: 'mariadb',
    prepare: ['create table done (run int not null, made_by int not null)'],
    protocol: () => new MysqlProtocol(),
    witness: async (place) => {
      const connection = await mysql2.createConnection(place);
      const query = async (sql: string): Promise<Record<string, unknown>[]> => {
        const [rows] = await connection.query(sql);
        return rows as Record<string, unknown>[];
      };
      return { query, end: () => connection.end() };
    },
    programs: mysql2Programs,
    perform: performMysql2 as Suite['perform'],
    allowances: MYSQL2_ALLOWANCES,
  },
  'generic-pool': {
    ...POSTGRES,
    programs: gpPrograms,
    perform: performGp as Suite['perform'],
    allowances: GP_ALLOWANCES,
  },
};
