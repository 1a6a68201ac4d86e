/**
 * What a READ ONLY transaction lets pass on MariaDB and MySQL, as statements: each one's functions are in the list of
 * src/outcome/effects.ts, and this is why.
 */

/** On both. */
export const PASSES: readonly (readonly [entry: string, sql: string])[] = [
  ['get_lock', "select get_lock('eip_pool', 0)"],
  ['release_lock', "select release_lock('eip_pool')"],
  ['release_all_locks', 'select release_all_locks()'],
  ['last_insert_id', 'select last_insert_id(7)'],
  ['found_rows', 'select found_rows()'],
  ['row_count', 'select row_count()'],
  ['uuid_short', 'select uuid_short()'],
  ['a session variable', 'select @eip_pool := 7'],
  ['INTO a variable', 'select 7 into @eip_pool'],
];

/** On MariaDB, which has sequences, and Galera's memory of what the session wrote. */
export const ON_MARIADB: readonly (readonly [entry: string, sql: string])[] = [
  ['lastval', 'select lastval(effects_s)'],
  ['previous value for', 'select previous value for effects_s'],
  ['wsrep_last_*', 'select wsrep_last_written_gtid(), wsrep_last_seen_gtid()'],
];

/** What the session has, and another one has otherwise: prepared by the first statement, shown by the second. */
export const ASKS_THE_SESSION: readonly (readonly [prepared: string, sql: string])[] = [
  ['do 1', 'select connection_id() as v'],
  ['insert into effects_auto values ()', 'select last_insert_id() as v'],
  ['insert into effects_auto values ()', 'select @@last_insert_id as v'],
  ['insert into effects_auto values ()', 'select @@identity as v'],
  ['select 1 union select 2', 'select found_rows() as v'],
  ['insert into effects_auto values (), ()', 'select row_count() as v'],
  ["select cast('a' as signed)", 'select @@warning_count as v'],
  ["select cast('a' as signed)", 'show warnings'],
  ["select cast('a' as signed)", 'show count(*) warnings'],
  ['set @eip_pool = 7', 'select @eip_pool as v'],
  ["set sql_mode = 'ANSI_QUOTES'", 'select @@sql_mode as v'],
  ["set sql_mode = 'ANSI_QUOTES'", 'select @@session.sql_mode as v'],
  ["set sql_mode = 'ANSI_QUOTES'", "show variables like 'sql_mode'"],
  ['show tables', "show session status like 'Com_show_tables'"],
  ['set profiling = 1', 'select @@profiling as v'],
];

/** What READ ONLY refuses by itself on this server; the list names it for servers that do not. */
export const REFUSED: readonly (readonly [entry: string, sql: string])[] = [
  ['nextval', 'select nextval(effects_s)'],
  ['next value for', 'select next value for effects_s'],
  ['setval', 'select setval(effects_s, 100)'],
];

/** A storage engine of MariaDB that brings functions along. */
export interface Engine {
  readonly library: string;
  /** Debian's. */
  readonly package: string;
  /** What its functions work on, and those that it does not register itself. */
  readonly prepared: readonly string[];
  /** The second statement answers otherwise afterwards; null where it is of use only to this session. */
  readonly passes: readonly (readonly [entry: string, sql: string, witness: string | null])[];
}

/** In the statements it stands for the other server, which has the tables `far` and `copied`. */
export const REMOTE = 'REMOTE';
/** In the statements it stands for a folder of the server's. */
export const FOLDER = 'FOLDER';

export const ENGINES: readonly Engine[] = [
  {
    library: 'ha_spider',
    package: 'mariadb-plugin-spider',
    prepared: [
      `create table near (n int primary key) engine = spider comment = 'wrapper "mysql", ${REMOTE}, table "far"'`,
      `create table there (n int primary key) engine = spider comment = 'wrapper "mysql", ${REMOTE}, table "copied"'`,
      `create table two (n int primary key) engine = spider comment = 'wrapper "mysql", ${REMOTE}, table "far copied"'`,
    ],
    passes: [
      [
        'spider_*',
        `select spider_direct_sql('insert into far values (1)', '', '${REMOTE}') as v`,
        'select count(*) as v from near',
      ],
      [
        'spider_*',
        `select spider_bg_direct_sql('insert into far values (2)', '', '${REMOTE}') as v`,
        'select count(*) as v from near',
      ],
      ['spider_*', "select spider_copy_tables('two', '0', '1') as v", 'select count(*) as v from there'],
      ['spider_*', 'select spider_flush_table_mon_cache() as v', null],
    ],
  },
  {
    library: 'ha_mroonga',
    package: 'mariadb-plugin-mroonga',
    prepared: [
      'create table g (n int primary key) engine = mroonga',
      "create function mroonga_command returns string soname 'ha_mroonga.so'",
      "create function last_insert_grn_id returns integer soname 'ha_mroonga.so'",
    ],
    passes: [
      [
        'mroonga_command',
        "select mroonga_command('table_create made TABLE_NO_KEY') as v",
        "select convert(mroonga_command('table_list') using utf8mb4) as v",
      ],
      ['last_insert_grn_id', 'select last_insert_grn_id() as v', null],
    ],
  },
  {
    library: 'ha_connect',
    package: 'mariadb-plugin-connect',
    prepared: [
      "grant file on *.* to 'app'@'%'",
      ...['jfile_make', 'bfile_make', 'json_file'].map(
        (name) => `create function ${name} returns string soname 'ha_connect.so'`,
      ),
    ],
    passes: [
      ['jfile_*', `select jfile_make('{"a":1}', '${FOLDER}/j.json') as v`, `select json_file('${FOLDER}/j.json') as v`],
      ['bfile_*', `select bfile_make('{"a":1}', '${FOLDER}/b.json') as v`, `select json_file('${FOLDER}/b.json') as v`],
    ],
  },
];

const locks = "select count(*) as v from performance_schema.metadata_locks where object_type = 'LOCKING SERVICE'";
const sources = 'select count(*) as v from mysql.replication_asynchronous_connection_failover';
const actions =
  'select group_concat(enabled order by name) as v from performance_schema.replication_group_member_actions';
const keys = 'select count(*) as v from performance_schema.keyring_keys';
const reloads =
  "select variable_value as v from performance_schema.global_status where variable_name = 'Rewriter_number_reloads'";
const checkpoint =
  "select variable_value as v from performance_schema.global_status where variable_name = 'Innodb_redo_log_checkpoint_lsn'";
const ACTION = "'mysql_disable_super_read_only_if_primary', 'AFTER_PRIMARY_ELECTION'";

/** What the tests install on MySQL, of what comes with its community edition; the functions of some are made by hand. */
export const MYSQL_PLUGINS: readonly string[] = [
  "install plugin group_replication soname 'group_replication.so'",
  "install plugin rewriter soname 'rewriter.so'",
  "install plugin keyring_udf soname 'keyring_udf.so'",
  "install component 'file://component_query_attributes'",
  "install component 'file://component_audit_api_message_emit'",
  "create function load_rewrite_rules returns string soname 'rewriter.so'",
  ...['service_get_read_locks', 'service_get_write_locks', 'service_release_locks'].map(
    (name) => `create function ${name} returns integer soname 'locking_service.so'`,
  ),
  ...['keyring_key_generate', 'keyring_key_store', 'keyring_key_remove', 'keyring_key_length_fetch'].map(
    (name) => `create function ${name} returns integer soname 'keyring_udf.so'`,
  ),
  ...['keyring_key_fetch', 'keyring_key_type_fetch'].map(
    (name) => `create function ${name} returns string soname 'keyring_udf.so'`,
  ),
];

/** Not in every build of it. */
export const MYSQL_BACKUP = "install component 'file://component_mysqlbackup'";

/** The second statement answers otherwise afterwards. */
export const ON_MYSQL: readonly (readonly [sql: string, witness: string])[] = [
  ["select service_get_write_locks('a', 'b', 0) as v", locks],
  ["select service_release_locks('a') as v", locks],
  ["select asynchronous_connection_failover_add_source('a', '127.0.0.1', 3310, '', 80) as v", sources],
  ['select asynchronous_connection_failover_reset() as v', sources],
  [`select group_replication_disable_member_action(${ACTION}) as v`, actions],
  ['select group_replication_reset_member_actions() as v', actions],
  ["select keyring_key_generate('a', 'AES', 16) as v", keys],
  ["select keyring_key_remove('a') as v", keys],
  ['select load_rewrite_rules() as v', reloads],
  ['select innodb_set_open_files_limit(@@innodb_open_files + 100) as v', 'select @@innodb_open_files as v'],
  ['select innodb_redo_log_sharp_checkpoint() as v', checkpoint],
];

/** Let pass with an effect that SQL cannot see: a message to whatever plug-in audits. */
export const PASSES_ON_MYSQL: readonly string[] = ["select audit_api_message_emit_udf('a', 'b', 'c') as v"];

/** With {@link MYSQL_BACKUP}. */
export const MYSQL_BACKUP_PASSES: readonly (readonly [sql: string, witness: string])[] = [
  ['select mysqlbackup_page_track_set(true) as v', 'select mysqlbackup_page_track_get_start_lsn() as v'],
];

/** Loadable functions of MySQL of which nothing stays. */
export const HARMLESS_ON_MYSQL: ReadonlySet<string> = new Set(['mysql_query_attribute_string', 'md5', 'sha', 'sha1']);

/** No server that can be had here has them: they stand on their source alone. */
export const SOURCE_ONLY: Readonly<Record<string, string>> = {
  'version_tokens_*': 'MySQL 8.4 manual, 7.6.6: a plug-in that Debian’s MySQL 9.7 no longer has',
  'mysql_firewall_*': 'MySQL 8.4 manual, 8.4.7: Enterprise Edition',
  'firewall_*': 'MySQL 8.4 manual, 8.4.7: Enterprise Edition',
  'read_firewall_*': 'MySQL 8.4 manual, 8.4.7: Enterprise Edition',
  'set_firewall_*': 'MySQL 8.4 manual, 8.4.7: Enterprise Edition',
  'gen_dictionary_*': 'MySQL 8.4 manual, 8.5.3: Enterprise Edition',
  'masking_dictionar*': 'MySQL 8.4 manual, 8.5.2: Enterprise Edition, and Percona Server',
  sys_exec: 'github.com/mysqludf/lib_mysqludf_sys: in no package of Debian',
  sys_eval: 'github.com/mysqludf/lib_mysqludf_sys: in no package of Debian',
  sys_set: 'github.com/mysqludf/lib_mysqludf_sys: in no package of Debian',
};
