import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calledNames, endsTransaction, keepsTransaction, onlyReads } from '../../src/outcome/reads.js';

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
    "select * from t where a ~ '\\d+' and b = E'it\\'s'",
    '/* a (comment) */ (select 1)',
    'select aws_lambda.name from aws_lambda',
    'select * from t where updated > $1 for_sharing',
    'with a as (select 1 as "update") select * from a',
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
    'SHOW DATABASES',
    'show global status',
    "select * from t where a like '100\\%'",
    'select @@global.read_only, @@port',
    'select insert(a, 1, 2, b), replace(a, b, c) from t',
    'with a as (select insert(b, 1, 2, c) from t) select * from a',
    'select a$b from t',
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
    "select $a$ $A$ ' $a$, pg_advisory_lock(4711), 1 as one --'",
    "select 1$a$ ' $a$, pg_advisory_lock(1) --'",
    "select E'\\' , pg_notify($$a$$, $$b$$) , E'\\''".replaceAll('$$', "'"),
    "select '\\' , pg_notify($$a$$, $$b$$) , '\\''",
    "select u&'\\' , pg_notify($$a$$, $$b$$) , u&'\\''",
    'select aws_lambda.invoke($1, $2)',
    'select aws_lambda . invoke ($1)',
    'select invoke($1, $2)',
    "select * from aws_s3.query_export_to_s3('select 1', $1)",
    "select status from http_get('http://example.com')",
    "select http(('POST', $1, null, null, null)::http_request)",
    "select net.http_post('http://example.com')",
    "select pg_background_launch('delete from t')",
    "select cron.schedule('x', '* * * * *', 'delete from t')",
    "select dbms_pipe.send_message('a')",
    "select oracle_execute('a', 'drop table t')",
    "select aurora_inject_crash('instance')",
    "select hypopg_create_index('create index on t (a)')",
    'select * from t for update',
    'select * from t for no key update skip locked',
    'select * from t for key share',
    'select * from t FOR/**/SHARE',
    'with a as (delete from t returning *) select * from a',
    'with a as (select 1) update t set a = 1',
    '(with a as (select 1) merge into t using a on true when matched then delete)',
    'select lo_create\u00a0(0)',
    'select 1\0; delete from t',
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
    "select 1 --\x01 ' \n , get_lock(1, 1) -- '",
    "select 1 --\x7f ' \n , get_lock(1, 1) -- '",
    "select 1 --\u00a0 ' \n , get_lock(1, 1) -- '",
    "select 1 # '\0 , get_lock(1, 1) # '",
    'select /*+ QB_NAME("*/") */ 1, get_lock(1, 1) /* " */',
    'select /*+ QB_NAME(a * `*/`) */ 1',
    String.raw`select "\" , get_lock(1, 1) , "\""`,
    String.raw`select 'a\\' , get_lock(1, 1) , '\\'`,
    String.raw`select '\\\' , get_lock(1, 1) , ' , '\\'`,
    "select $$ ' $$ , get_lock(1, 1) -- '",
    'select get_lock\u00a0(1, 1)',
    'select 1 /*! into @a */',
    'select 1 /*m!100100 into @a */',
    'select lambda_async($1, $2)',
    "select lambda_sync('arn', '{}')",
    'select mysql.lambda_async(1, 2)',
    'select mysql.rds_kill(1)',
    "select http_post('http://example.com', 'a')",
    'select * from t for update',
    'select * from t FOR/**/SHARE',
    'select * from t lock in share mode',
    'select * from t procedure analyse()',
    'select s.nextval',
    'select nextval(s)',
    'with a as (select 1) delete from t',
    'with a as (select 1) update t set a = 1',
    'table t into outfile "a"',
    'values row(1) into @a',
  ])('%j in MySQL', (text) => {
    expect(onlyReads(text, 'mysql')).toBe(false);
  });

  it.each([
    'select lastval()',
    "select currval('s')",
    'select pg_backend_pid()',
    "select current_setting('app.tenant')",
    'select * from pg_temp.t',
    'select * from pg_temp_3.t',
    'select pg_my_temp_schema()',
    'select * from pg_prepared_statements',
    "select setting from pg_settings where name = 'work_mem'",
    'select inet_client_port()',
    'show search_path',
    'show app.tenant',
    'show all',
    'show transaction isolation level',
    'select current_schema, current_schemas(true)',
    'select current_user',
    'select session_user::text',
    'select pg_client_encoding()',
    'select * from pg_show_all_settings()',
  ])('%j, which another session would answer too, and with something else', (text) => {
    expect(onlyReads(text, 'postgres')).toBe(false);
  });

  it.each([
    'select last_insert_id()',
    'select @@last_insert_id',
    'select @@identity, 1',
    'select @@warning_count',
    'select @@error_count',
    'select @@session.sql_mode',
    'select @@local.sql_mode',
    'select @@sql_mode',
    'select @@port, @@insert_id',
    'select @@`identity`',
    'select @@global_x',
    'select @@portx',
    'select @a',
    'select found_rows()',
    'select row_count()',
    'select connection_id()',
    'show warnings',
    'show count(*) errors',
    'show status',
    "show session status like 'Last_query_cost'",
    "show variables like 'sql_mode'",
    'show local variables',
    'show profile for query 1',
    'select * from performance_schema.session_status',
    'select * from information_schema.profiling',
    'select session_value from information_schema.system_variables',
    'select * from performance_schema.variables_by_thread',
    'select database()',
    "select charset('x'), from_unixtime(0)",
    'SHOW TABLES',
    'show full tables',
    'show grants',
  ])('MySQL’s %j, which another session would answer too, and with something else', (text) => {
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

describe('what a statement calls', () => {
  it('is told by name, as PostgreSQL folds it, and nothing in a literal or a comment is a call', () => {
    const text = `select Count(*), a.My_Func (1), É(2), 'no(1)' -- no(2)\n from generate_series(1, 2) as g(n)`;
    expect(calledNames(text)).toEqual(['count', 'my_func', 'É', 'generate_series', 'g']);
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

describe('whether a transaction goes on', () => {
  it.each(['rollback to a', 'ROLLBACK WORK TO SAVEPOINT `a`', 'rollback to a; insert into t values (1)'])(
    'is certain after %j',
    (text) => expect(keepsTransaction(text, 'mysql')).toBe(true),
  );

  it.each(['rollback and chain', 'rollback', 'rollback work', 'rollback; to', 'commit /* to */ and chain'])(
    'is not after %j',
    (text) => expect(keepsTransaction(text, 'mysql')).toBe(false),
  );

  it('is certain by the first word where the server takes one statement only', () => {
    const escaped = String.raw`/* a */ -- b
      insert into t values ('it\'s; commit')`;
    expect([keepsTransaction(escaped, 'mysql'), keepsTransaction(escaped, 'mysql', true)]).toEqual([false, true]);
    const hidden = String.raw`/*!50000 commit */ select '\''`;
    expect(keepsTransaction(hidden, 'mysql', true)).toBe(false);
  });

  it.each([
    ['COMMIT', 'commit and chain', true],
    ['BEGIN', 'begin', true],
    ['START TRANSACTION', null, true],
    ['PREPARE TRANSACTION', "prepare transaction 'x'", true],
    ['ROLLBACK', 'rollback and chain', true],
    ['ROLLBACK', 'abort', true],
    ['ROLLBACK', 'commit and chain', true],
    ['ROLLBACK', 'rollback to a; rollback and chain', true],
    ['ROLLBACK', null, true],
    ['ROLLBACK', "rollback /* 'a' */ and chain", true],
    ['ROLLBACK', "rollback /* /* */ to 'a' */ and chain", true],
    ['ROLLBACK', 'rollback to a', false],
    ['ROLLBACK', 'insert into t values (1); rollback transaction to savepoint a', false],
    ['ROLLBACK', `rollback /* and chain */ to "a" /*app='b'*/`, false],
    ['INSERT 0 1', "insert into t values ('commit')", false],
    ['CALL', 'call p()', false],
  ])('is told by PostgreSQL’s tag %s for %j', (tag, text, ends) => {
    expect(endsTransaction(tag, text)).toBe(ends);
  });
});
