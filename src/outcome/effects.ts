import { MYSQL_EXTENSIONS, POSTGRES_EXTENSIONS } from './extensions.js';
import type { Dialect } from './lexer.js';
import { SESSION_CALLS } from './session-state.js';

/**
 * Built-in functions, and some of the extensions that come with the servers, that a READ ONLY transaction lets pass although
 * they leave something behind, or belong to the session that is lost. `*` stands for any ending. What READ ONLY refuses
 * (`nextval`, `setval`) needs no entry. test/pg/effects.test.ts, test/mysql2/effects.test.ts and
 * test/containers/mysql-effects.test.ts prove the entries on real servers, and that no volatile function of PostgreSQL and
 * its extensions, and no loadable function of MySQL's community edition, is forgotten.
 *
 * Sources: PostgreSQL 18 manual, chapter 9.28 (system administration), 9.30, 33.4 (large objects; refused there from 16 on),
 * 9.15.3 (functions that run a query given as text), appendix F; `src/backend/tcop/utility.c`,
 * `PreventCommandIfReadOnly`. MySQL 8.4 manual, 14.2 (loadable functions), 14.14 (locking), 14.15,
 * 14.18; MariaDB knowledge base, sequences, Spider functions, CONNECT's JSON functions.
 */
export const POSTGRES_EFFECTS: readonly string[] = [
  // Large objects, and files of the server.
  'lo_*',
  'lowrite',
  'pg_file_*',
  // The write-ahead log, replication and backups.
  'pg_logical_*',
  'pg_create_*',
  'pg_drop_replication_slot',
  'pg_copy_*',
  'pg_replication_*',
  'pg_sync_replication_slots',
  'pg_switch_*',
  'pg_wal_replay_*',
  'pg_promote',
  'pg_start_backup',
  'pg_stop_backup',
  'pg_backup_*',
  // Messages and locks that outlive the transaction.
  'pg_notify',
  'pg_advisory_*',
  'pg_try_advisory_*',
  // Other sessions and the server itself.
  'pg_terminate_backend',
  'pg_cancel_backend',
  'pg_reload_conf',
  'pg_rotate_logfile*',
  'pg_log_*',
  'pg_stat_reset*',
  'pg_stat_statements_reset',
  'pg_buffercache_evict*',
  'autoprewarm_*',
  // The session, what it did before, and ids that are used up.
  'set_config',
  'setseed',
  'set_limit',
  'isn_weak',
  'lastval',
  'currval',
  'pg_export_snapshot',
  'txid_current',
  'pg_current_xact_id',
  'pg_nextoid',
  // The catalog: the planner's statistics, collations.
  'pg_clear_*',
  'pg_restore_*',
  'pg_import_system_collations',
  // Indexes and storage.
  'brin_*',
  'gin_clean_pending_list',
  'heap_force_*',
  'pg_truncate_visibility_map',
  // Other servers.
  'dblink*',
  'postgres_fdw_disconnect*',
  // They run a statement that is hidden in a string.
  'query_to_xml*',
  'ts_stat',
  'ts_rewrite',
  'crosstab*',
  'connectby',
  'xpath_table',
];

export const MYSQL_EFFECTS: readonly string[] = [
  // Locks of the session.
  'get_lock',
  'release_lock',
  'release_all_locks',
  'service_get_*',
  'service_release_*',
  // What the session did before, which another one did not.
  'last_insert_id',
  'last_insert_grn_id',
  'found_rows',
  'row_count',
  'lastval',
  'previous value for',
  'wsrep_last_*',
  // Sequences and counters.
  'nextval',
  'setval',
  'next value for',
  'uuid_short',
  // Other servers.
  'spider_*',
  'group_replication_*',
  'asynchronous_connection_failover_*',
  // The server itself: its logs and files, keys, firewall and dictionaries.
  'innodb_*',
  'mysqlbackup_*',
  'keyring_*',
  'audit_*',
  'load_rewrite_rules',
  'version_tokens_*',
  'mysql_firewall_*',
  'firewall_*',
  'read_firewall_*',
  'set_firewall_*',
  'gen_dictionary_*',
  'masking_dictionar*',
  'mroonga_command',
  'jfile_*',
  'bfile_*',
  'sys_exec',
  'sys_eval',
  'sys_set',
];

const WILD: Readonly<Record<string, string>> = {
  '*': String.raw`\w*`,
  '.': String.raw`\s*\.\s*`,
  ' ': String.raw`\s+`,
};

/** Matches a call that leaves something behind, or that only the lost session could answer. */
export const NOT_AGAIN: Readonly<Record<Dialect, RegExp>> = {
  postgres: callOf([...POSTGRES_EFFECTS, ...Object.keys(POSTGRES_EXTENSIONS), ...SESSION_CALLS.postgres]),
  mysql: callOf([...MYSQL_EFFECTS, ...Object.keys(MYSQL_EXTENSIONS), ...SESSION_CALLS.mysql]),
};

function callOf(names: readonly string[]): RegExp {
  return new RegExp(String.raw`\b(?:${names.map(patternOf).join('|')})`, 'i');
}

function patternOf(name: string): string {
  const pattern = name.replaceAll(/[*. ]/g, (wild) => WILD[wild] ?? '');
  // What has spaces is no call.
  return name.includes(' ') ? pattern : String.raw`${pattern}\s*\(`;
}
