/** What the servers of a kind are told. The ledger is the same everywhere. */
export interface Dialect {
  readonly databases: 'embedded-postgres' | 'mariadb';
  readonly ledger: readonly string[];
  readonly readOnly: readonly string[];
  readonly writable: readonly string[];
  /** How many sessions of the application there are. */
  readonly sessions: string;
}

export const ROWS = 'select id, part, execution from ledger';

/**
 * The procedure commits its first row before it writes the second one; on a server that was demoted in place that is
 * half of it, and then the refusal.
 */
export const postgres: Dialect = {
  databases: 'embedded-postgres',
  ledger: [
    `set synchronous_commit = local;
     create table ledger (id int not null, part int not null, execution uuid not null default gen_random_uuid());
     create table marker (id text primary key);
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
  ],
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
  readOnly: ['set global read_only = 1'],
  writable: ['set global read_only = 0'],
  sessions: "select count(*) as count from information_schema.processlist where user = 'app'",
};
