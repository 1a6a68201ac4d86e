import type { Dialect } from './lexer.js';

/**
 * What only the session that was lost could have answered: another one would answer too, and with something else. As
 * calls, as names of views and variables, and as what SHOW shows.
 *
 * Sources: PostgreSQL 18 manual, chapters 9.27, 9.28.1, 53 and 19 (which parameters a session can set). MySQL 8.4 manual,
 * 7.1.8 (scope of variables), 14.15 (information functions), 15.7.7 (SHOW), 29.12.14 and 29.12.15; MariaDB knowledge base.
 */
export const SESSION_CALLS: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: [
    'pg_backend_pid',
    'pg_my_temp_schema',
    'current_setting',
    'pg_listening_channels',
    'pg_prepared_statement',
    'pg_cursor',
    'cursor_to_xml*',
    'inet_client_*',
    'pg_get_backend_memory_contexts',
    'pg_stat_get_xact_*',
    'txid_current_if_assigned',
    'pg_current_xact_id_if_assigned',
    'postgres_fdw_get_connections',
    'show_limit',
    'current_schemas',
    'pg_client_encoding',
    'pg_show_all_settings',
    'pg_stat_get_activity',
    'ssl_*',
  ],
  mysql: [
    ...['connection_id', 'current_role', 'ps_current_thread_id', 'ps_thread_id'],
    // What USE, SET NAMES and SET time_zone have chosen.
    ...['database', 'schema', 'charset', 'collation', 'from_unixtime', 'unix_timestamp'],
  ],
};

/** Of PostgreSQL's settings those that no session can have of its own. */
const OF_SERVER: string =
  'server_version|server_version_num|server_encoding|block_size|wal_block_size|segment_size|wal_segment_size|' +
  'data_checksums|integer_datetimes|max_identifier_length|max_function_args|max_index_keys|ssl_library|in_hot_standby|' +
  'max_connections|superuser_reserved_connections|port|listen_addresses|data_directory|config_file|hba_file|ident_file|' +
  'cluster_name|wal_level|hot_standby|shared_buffers|max_wal_senders|max_worker_processes|archive_mode|ssl|' +
  'primary_conninfo|primary_slot_name|unix_socket_directories';

/** Of MySQL's and MariaDB's variables those that no session can have of its own. */
const GLOBAL: string =
  'hostname|port|socket|version|version_comment|version_compile_machine|version_compile_os|innodb_version|' +
  'server_uuid|server_uid|datadir|basedir|tmpdir|plugin_dir|pid_file|bind_address|report_host|license|' +
  'read_only|super_read_only|innodb_read_only|log_bin|gtid_executed|gtid_purged|lower_case_table_names|' +
  'lower_case_file_system|max_connections|innodb_buffer_pool_size|secure_file_priv|aurora_server_id|aurora_version|' +
  'wsrep_node_name|wsrep_node_address|wsrep_cluster_name';

/** Names that stand by themselves in a statement. */
const NAMES: Readonly<Record<Dialect, RegExp>> = {
  postgres:
    // The names without brackets are what SET ROLE and search_path have chosen.
    /\b(?:pg_settings|pg_cursors|pg_prepared_statements|pg_backend_memory_contexts|pg_stat_xact_\w+|pg_temp(?:_\d+)?|current_schema|current_user|current_role|session_user)\b/i,
  // A variable whose name is quoted, or that is of the session, or may be.
  mysql: new RegExp(
    String.raw`@@(?!(?:global\s*\.\s*\w+|${GLOBAL})\b(?!\s*\.))|` +
      String.raw`\b(?:session_variables|session_status|system_variables|status_by_thread|variables_by_thread|optimizer_trace|profiling|user_variables|innodb_session_temp_tablespaces)\b`,
    'i',
  ),
};

const SHOWN: Readonly<Record<Dialect, RegExp>> = {
  postgres: new RegExp(String.raw`^show\s+(?!(?:${OF_SERVER})$)`, 'i'),
  mysql:
    /^show\s+(?:(?:session|local|status|variables|warnings|errors|profiles?|grants|(?:full\s+|extended\s+)*tables)\b|count\s*\()/i,
};

/** Whether a statement without its literals asks for something of its own session, beyond calls. */
export function asksSession(bare: string, dialect: Dialect): boolean {
  return NAMES[dialect].test(bare) || SHOWN[dialect].test(bare);
}
