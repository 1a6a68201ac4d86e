/**
 * What a READ ONLY transaction lets pass on PostgreSQL, as statements: each one's functions are in the list of
 * src/outcome/effects.ts, and this is why. The order matters: some use what the ones before them left.
 */

/** What tells that something has happened. */
const lsn = 'select pg_current_wal_insert_lsn()::text as v';
const locks = "select count(*)::int as v from pg_locks where locktype = 'advisory'";
const slots = 'select count(*)::int as v from pg_replication_slots';
const origins = 'select count(*)::int as v from pg_replication_origin';
const nextId = 'select pg_snapshot_xmax(pg_current_snapshot())::text as v';
const rows = 'select count(*)::int as v from t0';
const reltuples = "select reltuples as v from pg_class where relname = 't0'";
const nullFraction =
  "select string_agg(null_frac::text, ',') as v from pg_stats where tablename = 't0' and attname = 'n'";

/** The second statement answers otherwise afterwards. */
export const STAYS: readonly (readonly [sql: string, witness: string])[] = [
  ['select postgres_fdw_disconnect_all() as v', 'select count(*)::int as v from postgres_fdw_get_connections()'],
  ["select pg_logical_emit_message(false, 'a', 'b') as v", lsn],
  ["select pg_create_physical_replication_slot('one', true) as v", slots],
  ["select pg_copy_physical_replication_slot('one', 'two') as v", slots],
  ["select pg_drop_replication_slot('two') as v", slots],
  ["select pg_create_logical_replication_slot('three', 'test_decoding') as v", slots],
  ["select pg_copy_logical_replication_slot('three', 'four') as v", slots],
  ["select pg_create_restore_point('here') as v", lsn],
  ['select pg_switch_wal() as v', lsn],
  ['select pg_log_standby_snapshot() as v', lsn],
  [
    "select count(*) as v from pg_logical_slot_get_changes('three', null, null)",
    "select confirmed_flush_lsn::text as v from pg_replication_slots where slot_name = 'three'",
  ],
  ['select pg_advisory_lock(1) as v', locks],
  ['select pg_try_advisory_lock(2) as v', locks],
  ['select pg_advisory_unlock_all() as v', locks],
  ["select set_config('app.setting', '7', false) as v", "select current_setting('app.setting', true) as v"],
  ['select set_limit(0.7) as v', 'select show_limit() as v'],
  ['select isn_weak(true) as v', 'select isn_weak() as v'],
  ['select txid_current() as v', nextId],
  ['select pg_current_xact_id() as v', nextId],
  ["select pg_nextoid('pg_class', 'oid', 'pg_class_oid_index') as v", lsn],
  ["select pg_clear_relation_stats('public', 't0') as v", reltuples],
  ["select pg_restore_relation_stats('schemaname', 'public', 'relname', 't0', 'reltuples', 7::real) as v", reltuples],
  ["select pg_clear_attribute_stats('public', 't0', 'n', false) as v", nullFraction],
  ["select pg_import_system_collations('public') as v", 'select count(*)::int as v from pg_collation'],
  ["select query_to_xml('select pg_advisory_lock(3)', true, true, '') as v", locks],
  ["select ts_stat('select to_tsvector(pg_advisory_lock(4)::text)') as v", locks],
  ['select pg_stat_reset_shared(null) as v', 'select stats_reset::text as v from pg_stat_bgwriter'],
  ['select pg_stat_statements_reset() as v', 'select stats_reset::text as v from pg_stat_statements_info'],
  ["select pg_replication_origin_create('o') as v", origins],
  ["select pg_replication_origin_drop('o') as v", origins],
  ["select dblink_connect('c', current_setting('app.dsn')) as v", 'select dblink_get_connections() as v'],
  ["select dblink_exec('c', 'insert into t0 values (0)') as v", rows],
  ["select dblink_disconnect('c') as v", 'select dblink_get_connections() as v'],
  ["select 1 as v from crosstab('select pg_advisory_lock(5)::text, $$1$$, $$1$$') as c(a text, b text)", locks],
  ["select 1 as v from connectby('lateral_t', 'a', 'b', '1', 0) as c(a text, b text, l int)", locks],
  ["select 1 as v from xpath_table('a', 'b', 'x', '/a', 'pg_advisory_lock(6) is not null') as c(a int, b text)", locks],
  ["select ts_rewrite('a', 'select to_tsquery($$a$$), to_tsquery($$b$$ || pg_advisory_lock(7)::text)') as v", locks],
  ["select brin_summarize_new_values('brin') as v", lsn],
  ["select gin_clean_pending_list('gin') as v", lsn],
  ["select heap_force_freeze('t0', array['(0,1)'::tid]) as v", lsn],
  ["select pg_truncate_visibility_map('t0') as v", lsn],
  ["select pg_backup_start('one', true) as v", lsn],
  ['select pg_backup_stop() as v', lsn],
  ['select pg_buffercache_evict_all() as v', 'select count(*)::int as v from pg_buffercache where relfilenode > 0'],
  ['select pg_reload_conf() as v', 'select pg_conf_load_time()::text as v'],
];

/** Let pass with an effect that SQL cannot see: a line in the log, a file, what is of use only to this session. */
export const PASSES: readonly string[] = [
  'select pg_log_backend_memory_contexts(pg_backend_pid())',
  // Without a logging collector it only says so.
  'select pg_rotate_logfile()',
  'select pg_export_snapshot()',
  'select setseed(0.5)',
  'select autoprewarm_dump_now()',
];

/** What the session did before: on another one they fail, or answer otherwise. */
export const OF_THE_SESSION: readonly string[] = ["select currval('q') as v", 'select lastval() as v'];

/** What the session has, and another one has otherwise or not at all: prepared by the first statement, shown by the second. */
export const ASKS_THE_SESSION: readonly (readonly [prepared: string, sql: string])[] = [
  ['select 1', 'select pg_backend_pid() as v'],
  ['select 1', 'select inet_client_port() as v'],
  ['create temp table mine (n int)', 'select pg_my_temp_schema() as v'],
  ['create temp table mine (n int)', 'select count(*)::int as v from pg_temp.mine'],
  ["set app.tenant = '7'", "select current_setting('app.tenant', true) as v"],
  ["set app.tenant = '7'", 'show app.tenant'],
  ["set work_mem = '7MB'", "select setting as v from pg_settings where name = 'work_mem'"],
  ["set work_mem = '7MB'", 'show work_mem'],
  ['listen news', 'select pg_listening_channels() as v'],
  ['prepare p as select 1', 'select name as v from pg_prepared_statements'],
  ['declare c cursor with hold for select 7', "select cursor_to_xml('c', 1, true, true, '')::text as v"],
  ['declare c cursor with hold for select 7', 'select name as v from pg_cursors'],
  ['select from far limit 1', 'select count(*)::int as v from postgres_fdw_get_connections()'],
];

/** On a standby, where every transaction is read-only. */
export const ON_A_STANDBY: readonly (readonly [sql: string, witness: string])[] = [
  ['select pg_wal_replay_pause() as v', 'select pg_is_wal_replay_paused() as v'],
  ['select pg_wal_replay_resume() as v', 'select pg_is_wal_replay_paused() as v'],
  ['select pg_promote() as v', 'select pg_is_in_recovery() as v'],
];

/** Let pass up to PostgreSQL 15, whose extension adminpack had the files. */
export const UP_TO_15: readonly (readonly [sql: string, witness: string])[] = [
  ['select lo_create(4711) as v', 'select count(*)::int as v from pg_largeobject_metadata'],
  ["select lo_put(4711, 0, 'abc') as v", 'select lo_get(4711)::text as v'],
  ["select lowrite(lo_open(4711, 131072), 'xyz') as v", 'select lo_get(4711)::text as v'],
  ['select lo_unlink(4711) as v', 'select count(*)::int as v from pg_largeobject_metadata'],
  ["select pg_file_write('eip-pool', 'x', false) as v", "select size as v from pg_stat_file('eip-pool', true)"],
  ["select pg_file_unlink('eip-pool') as v", "select size as v from pg_stat_file('eip-pool', true)"],
];

/** Proved where they are tested by themselves. */
export const BY_THEMSELVES: readonly string[] = ['lo_export', 'pg_notify', 'pg_terminate_backend', 'pg_cancel_backend'];

/** Let pass up to PostgreSQL 14, whose names of these two they are. */
export const UP_TO_14: readonly (readonly [sql: string, witness: string])[] = [
  ["select pg_start_backup('one', true) as v", 'select pg_is_in_backup() as v'],
  ['select pg_stop_backup() as v', 'select pg_is_in_backup() as v'],
];

/** What the standby of a primary with a slot for fail-overs lets pass, once it knows where to look for them. */
export const WITH_FAILOVER_SLOTS: readonly [sql: string, witness: string] = [
  'select pg_sync_replication_slots() as v',
  'select count(*)::int as v from pg_replication_slots where synced',
];

/** READ ONLY refuses these by itself. */
export const REFUSED: readonly string[] = [
  'select nextval($$q$$) as v',
  'select setval($$q$$, 1) as v',
  'select * from t for update',
  'with a as (insert into t values (1) returning n) select * from a',
  'select n into u from t',
];

/** Volatile, and let pass, but nothing of it stays: the functions of PostgreSQL 18 and of its extensions. */
export const HARMLESS: ReadonlySet<string> = new Set(
  `
  amvalidate array_sample array_shuffle clock_timestamp current_query currtid2
  gen_random_uuid loread pg_available_wal_summaries pg_blocking_pids pg_collation_actual_version
  pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system pg_current_logfile
  pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_database_collation_actual_version
  pg_database_size pg_get_aios pg_get_loaded_modules pg_get_multixact_members
  pg_get_sequence_data pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_wait_events
  pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_get_wal_summarizer_state pg_hba_file_rules
  pg_ident_file_mappings pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused
  pg_isolation_test_session_is_blocked pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn
  pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir
  pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_ls_tmpdir pg_ls_waldir
  pg_notification_queue_usage pg_partition_ancestors pg_partition_tree pg_prepared_xact pg_read_binary_file
  pg_read_file pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_show_all_file_settings
  pg_show_replication_origin_status pg_sleep pg_sleep_for pg_sleep_until pg_stat_clear_snapshot pg_stat_file
  pg_stat_force_next_flush pg_stat_get_backend_io pg_stat_get_backend_wal pg_stat_get_io
  pg_stat_get_recovery_prefetch pg_stat_have_stats pg_table_size
  pg_tablespace_size pg_total_relation_size pg_wal_summary_contents pg_xact_commit_timestamp
  pg_xact_commit_timestamp_origin pg_xact_status random random_normal timeofday txid_status uuidv4 uuidv7

  bt_index_check bt_index_parent_check bt_metap bt_multi_page_stats bt_page_items bt_page_stats file_fdw_handler
  file_fdw_validator fips_mode fsm_page_contents gen_random_bytes gen_salt get_raw_page gin_index_check
  gin_leafpage_items gin_metapage_info gin_page_opaque_info gist_page_items gist_page_items_bytea
  gist_page_opaque_info hash_bitmap_info hash_metapage_info hash_page_items hash_page_stats hash_page_type
  heap_page_item_attrs heap_page_items heap_tuple_infomask_flags normal_rand page_checksum page_header
  pg_buffercache_numa_pages pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts pg_check_frozen
  pg_check_visible pg_freespace pg_get_logical_snapshot_info pg_get_logical_snapshot_meta pg_get_wal_block_info
  pg_get_wal_record_info pg_get_wal_records_info pg_get_wal_stats pg_prewarm pg_relpages pg_stat_statements
  pg_stat_statements_info pg_visibility pg_visibility_map pg_visibility_map_summary pgp_pub_encrypt
  pgp_pub_encrypt_bytea pgp_sym_encrypt pgp_sym_encrypt_bytea pgrowlocks pgstatginindex pgstathashindex pgstatindex
  pgstattuple pgstattuple_approx plpgsql_call_handler plpgsql_validator
  postgres_fdw_handler postgres_fdw_validator tuple_data_split
  uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 verify_heapam xslt_process`.match(/\w+/g),
);

/** A server that is not in binary upgrade mode refuses them, and those that only CREATE EXTENSION or initdb may call. */
export const NOT_FOR_CLIENTS: RegExp = /^(binary_upgrade_\w+|pg_extension_config_dump|pg_stop_making_pinned_objects)$/;
