import fc from 'fast-check';
import type { CommonCall, Pause, Program } from './course.js';
import { commonCalls, maybe, oneOf, someOf, turn } from './arbitraries.js';

interface Text {
  readonly sql: string;
  readonly values?: readonly unknown[];
  readonly timeout?: number;
  readonly rowsAsArray?: boolean;
}

const refuse = (): never => {
  throw new Error('refused by the application');
};

export type Statement =
  | 'value'
  | 'rows'
  | 'parameter'
  | 'array'
  | 'session'
  | 'several'
  | 'insert'
  | 'wrong'
  | 'syntax'
  | 'bad value'
  | 'held'
  | 'too long'
  | 'long';

/** What a statement is about. Each has one answer, whenever it runs. */
export const STATEMENTS: Readonly<Record<Statement, Text>> = {
  value: { sql: 'select 1 as one' },
  rows: { sql: "select 1 as n, 'a' as t union select 2, 'b'" },
  parameter: { sql: 'select ? + 1 as sum', values: [41] },
  array: { sql: 'select 1, 2', rowsAsArray: true },
  /** Says how often it was run on this very connection. */
  session: { sql: 'select @n := coalesce(@n, 0) + 1 as n' },
  several: { sql: 'select 1 as one; select 2 as two' },
  insert: { sql: 'insert into done values (?, ?)', values: [] },
  wrong: { sql: 'select no_such_column' },
  syntax: { sql: 'selec 1' },
  /** Fails in the client, before anything is sent. */
  'bad value': { sql: 'select ? as bad', values: [{ toSqlString: refuse, toString: refuse }] },
  held: { sql: 'select /* held 300 */ 1 as held' },
  'too long': { sql: 'select /* held 300 */ 1 as late', timeout: 200 },
  long: { sql: 'select /* held 2500 */ 1 as long_one' },
};

export type Method = 'query' | 'execute';
/** `emitter`: without a callback, as only `query` can. */
export type How = 'promise' | 'callback' | 'emitter';
export type Next = 'hold' | 'release' | 'destroy' | 'release later' | 'query, release' | 'query, destroy';
export type Release = 'plain' | 'destroy' | 'twice' | 'by the pool' | 'end';

export type Mysql2Call =
  | { readonly do: 'statement'; readonly method: Method; readonly how: How; readonly what: Statement }
  | { readonly do: 'get'; readonly how: 'promise' | 'callback'; readonly next: Next; readonly what: Statement }
  | {
      readonly do: 'on a lease';
      readonly lease: number;
      readonly method: Method | 'ping' | 'beginTransaction' | 'commit';
      readonly what: Statement;
    }
  | { readonly do: 'release'; readonly lease: number; readonly how: Release }
  | CommonCall;

export interface Mysql2Options {
  readonly connectionLimit?: number;
  readonly waitForConnections?: boolean;
  readonly queueLimit?: number;
  readonly maxIdle?: number;
  readonly idleTimeout?: number;
  readonly resetOnRelease?: boolean;
  readonly gracefulEnd?: boolean;
  readonly multipleStatements?: boolean;
  readonly trace?: boolean;
}

export type Mysql2Program = Program<Mysql2Options, Mysql2Call>;

const options: fc.Arbitrary<Mysql2Options> = someOf({
  connectionLimit: oneOf(1, 2, 3, 4),
  waitForConnections: maybe(fc.boolean()),
  queueLimit: maybe(oneOf(0, 1, 2)),
  maxIdle: maybe(oneOf(0, 1, 2)),
  idleTimeout: maybe(oneOf(100, 1_500)),
  resetOnRelease: maybe(fc.boolean()),
  gracefulEnd: maybe(fc.boolean()),
  multipleStatements: maybe(fc.boolean()),
  trace: maybe(fc.boolean()),
});

const what = oneOf(...(Object.keys(STATEMENTS) as Statement[]));
const next = oneOf<Next>('hold', 'release', 'destroy', 'release later', 'query, release', 'query, destroy');
const release = oneOf<Release>('plain', 'plain', 'destroy', 'twice', 'by the pool', 'end');
const onLease = oneOf<Method | 'ping' | 'beginTransaction' | 'commit'>(
  ...(['query', 'query', 'execute', 'ping', 'beginTransaction', 'commit'] as const),
);
const statement = fc.record({
  do: fc.constant('statement' as const),
  method: oneOf<Method>('query', 'execute'),
  how: oneOf<How>('promise', 'callback', 'emitter'),
  what,
});

const call: fc.Arbitrary<Mysql2Call | Pause> = fc.oneof(
  { weight: 10, arbitrary: statement },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('get' as const), how: oneOf('promise', 'callback'), next, what }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('on a lease' as const), lease: fc.nat(3), method: onLease, what }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('release' as const), lease: fc.nat(3), how: release }) },
  ...commonCalls,
);

export const mysql2Programs: fc.Arbitrary<Mysql2Program> = fc.record({
  options,
  turn,
  calls: fc.array(call, { minLength: 1, maxLength: 14 }),
});
