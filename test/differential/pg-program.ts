import fc from 'fast-check';
import { commonCalls, maybe, oneOf, someOf, turn } from './arbitraries.js';
import type { CommonCall, Pause, Program } from './course.js';

interface Text {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
  readonly rowMode?: string;
  readonly types?: unknown;
}

const refuse = (): never => {
  throw new Error('refused by the application');
};

export type Statement =
  | 'value'
  | 'rows'
  | 'parameter'
  | 'named'
  | 'array'
  | 'session'
  | 'several'
  | 'nothing'
  | 'insert'
  | 'wrong'
  | 'zero'
  | 'bad value'
  | 'bad parser'
  | 'held'
  | 'long';

/** What a statement is about. Each has one answer, whenever it runs. */
export const STATEMENTS: Readonly<Record<Statement, Text>> = {
  value: { text: 'select 1 as one' },
  rows: { text: 'select n, n::text as t from generate_series(1, 3) as n' },
  parameter: { text: 'select $1::int + 1 as sum', values: [41] },
  named: { text: 'select $1::text as named', values: ['x'], name: 'named' },
  array: { text: 'select 1, 2', rowMode: 'array' },
  /** Says how often it was run on this very connection. */
  session: {
    text: `select set_config('my.n', (coalesce(nullif(current_setting('my.n', true), ''), '0')::int + 1)::text, false) as n`,
  },
  several: { text: 'select 1 as one; select 2 as two' },
  nothing: { text: '' },
  insert: { text: 'insert into done values ($1, $2)', values: [] },
  wrong: { text: 'select no_such_column' },
  zero: { text: 'select 1/$1::int as ratio', values: [0] },
  /** Fails in the client, before anything is sent. */
  'bad value': { text: 'select $1::text as bad', values: [{ toPostgres: refuse }] },
  /** Fails in the client, when the answer has come. */
  'bad parser': { text: 'select 1 as bad', types: { getTypeParser: () => refuse } },
  held: { text: 'select /* held 300 */ 1 as held' },
  long: { text: 'select /* held 2500 */ 1 as long' },
};

export type How = 'promise' | 'callback' | 'config';

/** What a caller does with a client that he gets. */
export type Next = 'hold' | 'release' | 'destroy' | 'release later' | 'query, release' | 'query, destroy';
export type Release = 'plain' | 'true' | 'error' | 'twice' | 'ended';

export type PgCall =
  | { readonly do: 'query'; readonly how: How; readonly what: Statement }
  | { readonly do: 'connect'; readonly how: 'promise' | 'callback'; readonly next: Next; readonly what: Statement }
  | { readonly do: 'on a lease'; readonly lease: number; readonly how: How; readonly what: Statement }
  | { readonly do: 'release'; readonly lease: number; readonly how: Release }
  | CommonCall;

export interface PgOptions {
  readonly max?: number;
  readonly min?: number;
  readonly idleTimeoutMillis?: number;
  readonly connectionTimeoutMillis?: number;
  readonly maxUses?: number;
  readonly maxLifetimeSeconds?: number;
  readonly allowExitOnIdle?: boolean;
  readonly query_timeout?: number;
  /** The hook for new clients. `first fails`: only the first one. */
  readonly onConnect?: 'sync' | 'async' | 'query' | 'first fails';
  readonly verify?: 'at once' | 'later' | 'first fails';
  readonly listenError: boolean;
}

export type PgProgram = Program<PgOptions, PgCall>;

const options: fc.Arbitrary<PgOptions> = someOf({
  max: oneOf(1, 2, 3, 4),
  min: maybe(oneOf(0, 1, 2)),
  idleTimeoutMillis: maybe(oneOf(0, 50, 1_000)),
  connectionTimeoutMillis: maybe(oneOf(0, 100, 1_000)),
  maxUses: maybe(oneOf(1, 2, 3)),
  maxLifetimeSeconds: maybe(oneOf(1, 2)),
  allowExitOnIdle: maybe(fc.boolean()),
  query_timeout: maybe(oneOf(200, 1_500)),
  onConnect: maybe(oneOf('sync', 'async', 'query', 'first fails')),
  verify: maybe(oneOf('at once', 'later', 'first fails')),
  listenError: fc.boolean(),
});

const statement = oneOf(...(Object.keys(STATEMENTS) as Statement[]));
const how = oneOf<How>('promise', 'callback', 'config');
const next = oneOf<Next>('hold', 'release', 'destroy', 'release later', 'query, release', 'query, destroy');
const release = oneOf<Release>('plain', 'plain', 'true', 'error', 'twice', 'ended');

const call: fc.Arbitrary<PgCall | Pause> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('query' as const), how, what: statement }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      how: oneOf('promise', 'callback'),
      next,
      what: statement,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('on a lease' as const), lease: fc.nat(3), how, what: statement }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('release' as const), lease: fc.nat(3), how: release }) },
  ...commonCalls,
);

export const pgPrograms: fc.Arbitrary<PgProgram> = fc.record({
  options,
  turn,
  calls: fc.array(call, { minLength: 1, maxLength: 14 }),
});
