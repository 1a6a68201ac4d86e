/** What the servers of a kind are told. The ledger is the same everywhere. */
export interface Dialect {
  readonly databases: 'embedded-postgres' | 'mariadb';
  readonly ledger: readonly string[];
  readonly readOnly: readonly string[];
  readonly writable: readonly string[];
  /** What the servers are told for a fault of the application's login, and for its end. */
  readonly logins: Readonly<Record<LoginFault, readonly [on: string, off: string]>>;
  /** Where the server has its certificate and its key, as `crt` and `key`, and how it is told to read them anew. */
  readonly certificate: { readonly paths: string; readonly reload: string };
  /** How many sessions of the application there are. */
  readonly sessions: string;
}

/** Those faults of the application's logins that a statement brings about. */
export type LoginFault = 'full' | 'slow logins' | 'wrong password';
/** Those that are brought about on the servers, which are well. */
export type ServerFault = LoginFault | 'rotated certificate' | 'pooler full';

export const ROWS = 'select id, part, execution from ledger';

/**
 * The procedure commits its first row before it writes the second one; on a server that was demoted in place that is
 * half of it, and then the refusal.
 */
export const postgres: Dialect = {
  databases: 'embedded-postgres',
  // The first of a primary and its standby has none yet, which would have to confirm it.
  ledger: [
    `set synchronous_commit = local;
     create table ledger (id int not null, part int not null, execution uuid not null default gen_random_uuid());
     create table marker (id text primary key);
     create function here() returns int language sql stable as 'select inet_server_port()';
     create procedure append_halves(id int) language plpgsql as $$
     begin
       commit;
       set transaction read write;
       insert into ledger values (id, 0);
       commit;
       insert into ledger values (id, 1);
     end $$;
     grant select, insert on ledger to app;
     grant all on marker to app`,
    `set synchronous_commit = local;
     create function login_slowly() returns event_trigger language plpgsql as $$
     begin
       if session_user = 'app' and current_setting('chaos.logins', true) = 'slow' then perform pg_sleep(1.2); end if;
     end $$`,
    `set synchronous_commit = local;
     create event trigger slow_login on login execute function login_slowly()`,
  ],
  logins: {
    full: ['alter role app connection limit 4', 'alter role app connection limit -1'],
    // The trigger stays: where the last one goes, a standby refuses logins until its primary has cleared up.
    'slow logins': [`alter role app set chaos.logins = 'slow'`, 'alter role app reset chaos.logins'],
    'wrong password': [`alter role app password 'another'`, `alter role app password 'app-secret'`],
  },
  certificate: {
    paths: `select folder || '/server.crt' as crt, folder || '/server.key' as key
      from current_setting('data_directory') as folder`,
    reload: 'select pg_reload_conf()',
  },
  readOnly: ['alter system set default_transaction_read_only = on', 'select pg_reload_conf()'],
  writable: ['alter system reset default_transaction_read_only', 'select pg_reload_conf()'],
  sessions: "select count(*)::int as count from pg_stat_activity where usename = 'app'",
};

export const mariadb: Dialect = {
  databases: 'mariadb',
  ledger: [
    `create table ledger (id int not null, part int not null, execution char(36) not null) engine = innodb`,
    'create table marker (id varchar(64) primary key) engine = innodb',
    `create procedure append_halves(id int)
     begin
       insert into ledger values (id, 0, uuid());
       commit;
       insert into ledger values (id, 1, uuid());
       commit;
     end`,
  ],
  logins: {
    // As many as there are, and 10 at the least, which is the least of all; then there is one more for its administrator.
    full: [
      'set global max_connections = (select greatest(10, count(*) - 1) from information_schema.processlist)',
      'set global max_connections = 151',
    ],
    // Run at each login of whoever is no administrator.
    'slow logins': [`set global init_connect = 'do sleep(1.2)'`, `set global init_connect = ''`],
    'wrong password': [
      `set password for app@'%' = password('another')`,
      `set password for app@'%' = password('app-secret')`,
    ],
  },
  certificate: { paths: 'select @@ssl_cert as crt, @@ssl_key as `key`', reload: 'flush ssl' },
  readOnly: ['set global read_only = 1'],
  writable: ['set global read_only = 0'],
  sessions: "select count(*) as count from information_schema.processlist where user = 'app'",
};
