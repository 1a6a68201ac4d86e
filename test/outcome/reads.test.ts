import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keepsTransaction, onlyReads } from '../../src/outcome/reads.js';

describe('a statement that only reads is', () => {
  it.each([
    'SELECT 1',
    '  select * from t where a = $1;',
    '((select 1) union (select 2))',
    'VALUES (1), (2)',
    'TABLE t',
    'SHOW server_version',
    'with a as (select 1) select * from a',
    "select 'lo_create(1) into pg_notify('",
    'select "into" from t',
    'select lo_orders.id from lo_orders',
    'select 1 -- into',
    'select pg_sleep(1)',
    'select count(*) as pg_notify from t',
  ])('%j in PostgreSQL', (text) => {
    expect(onlyReads(text, 'postgres')).toBe(true);
  });

  it.each([
    'SELECT 1',
    'select `into` from t where a = ?',
    'select @@hostname, @@port',
    "select 'get_lock(' # into",
    'select 1 -- into',
    'select /*+ MAX_EXECUTION_TIME(1000) */ 1',
    'select sleep(1)',
    'SHOW TABLES',
  ])('%j in MySQL', (text) => {
    expect(onlyReads(text, 'mysql')).toBe(true);
  });
});

describe('in doubt a statement does not only read, such as', () => {
  it.each([
    'insert into t values (1)',
    'explain analyze select 1',
    'select * into u from t',
    'select 1; select 2',
    'select lo_create(0)',
    'select pg_catalog.LO_CREATE (0)',
    'select "lo_create"(0)',
    'select U&"lo_create" (0)',
    `select U&"lo!005fcreate" UESCAPE '!' (0)`,
    'select lo_create/* */(0)',
    "select pg_notify('a', 'b')",
    'select * from dblink($1, $2) as t(a int)',
    "select query_to_xml('select pg_notify(1, 2)', true, true, '')",
    String.raw`select '\' , pg_notify('a', 'b') , '\''`,
    'call p()',
    'begin',
    '',
    'copy t to stdout',
    'listen x',
  ])('%j in PostgreSQL', (text) => {
    expect(onlyReads(text, 'postgres')).toBe(false);
  });

  it.each([
    'update t set a = 1',
    'select 1 into @a',
    "select 1 into outfile '/tmp/a'",
    'select @a := 1',
    'select @a',
    'select /*! get_lock(1, 1), */ 1',
    'select /*M!100100 get_lock(1, 1), */ 1',
    'select get_lock(1, 1)',
    'select `get_lock`(1, 1)',
    'select 1--1; delete from t',
    "select '\\'' , get_lock(1, 1) #'",
    'select next  value for s',
    'do sleep(1)',
    'select "a` , get_lock(1, 1) , `b" , `',
  ])('%j in MySQL', (text) => {
    expect(onlyReads(text, 'mysql')).toBe(false);
  });

  it('any text at all: the question is always answered', () => {
    const text = fc.string({ unit: fc.constantFrom(...`select ;'"$-*/\\#\`@(\n`.split('')), maxLength: 40 });
    fc.assert(
      fc.property(text, fc.constantFrom('postgres', 'mysql'), (tail, dialect) => {
        expect(typeof onlyReads(`select ${tail}`, dialect)).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });

  it('two statements, however MySQL’s quotes and comments are laid', () => {
    const inside = fc.string({ unit: fc.constantFrom(...'aZ09 ;-*/#()'.split('')), maxLength: 8 });
    const token = fc.oneof(
      ...["'", '"', '`'].map((quote) => inside.map((text) => `${quote}${text}${quote}${quote}${text}${quote}`)),
      inside.map((text) => `#${text}\n`),
      inside.map((text) => `-- ${text}\n`),
      inside.map((text) => `/*${text.replaceAll(/[*/]/g, '')}*/`),
      fc.constantFrom(' ', '1', ' a ', ',', '1--1', '/* /* */'),
    );
    const statement = fc.array(token, { maxLength: 6 }).map((tokens) => `select ${tokens.join(' ')} 1`);
    fc.assert(
      fc.property(statement, statement, (first, second) => {
        expect(onlyReads(`${first};${second}`, 'mysql')).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a transaction is certainly not ended by', () => {
  it.each(['select 1', 'INSERT INTO t VALUES (1)', "update t set a = 'commit'", 'with a as (select 1) delete from t'])(
    '%j',
    (text) => {
      expect(keepsTransaction(text, 'postgres')).toBe(true);
      expect(keepsTransaction(text, 'mysql')).toBe(true);
    },
  );

  it('what MySQL commits implicitly, and PostgreSQL does not', () => {
    expect(keepsTransaction('create table t (a int)', 'postgres')).toBe(true);
    expect(keepsTransaction('create table t (a int)', 'mysql')).toBe(false);
    expect(keepsTransaction('set autocommit = 1', 'mysql')).toBe(false);
  });

  it.each(['commit', 'select 1; commit', 'end', 'call p()', 'commit and chain', 'prepare transaction $1', ''])(
    'but perhaps by %j',
    (text) => {
      expect(keepsTransaction(text, 'postgres')).toBe(false);
      expect(keepsTransaction(text, 'mysql')).toBe(false);
    },
  );
});
