import type { FollowingConfig } from '../../../failover/options.js';
import type { Target } from '../../failover/client.js';

/** What a client on EC2 gets: the user's own database, and statements that tell which of its two servers answers. */
export interface Ec2Target extends Target {
  readonly sql: Statements;
}

/** Each gives one row with a column `server`: 1 or 2, or null of a server that is neither. */
export interface Statements {
  readonly read: string;
  /** Its one parameter is the row's id; null: nothing may be written, and a read takes its place. */
  readonly write: string | null;
}

/** What tells one server from another, also where both run in containers with the same private address. */
export const POSTGRES_IDENTITY: string =
  "concat_ws('/', host(inet_server_addr()), inet_server_port(), extract(epoch from pg_postmaster_start_time()))";
export const MYSQL_IDENTITY: string = "concat_ws('/', @@hostname, @@port, @@server_id)";

/** @param identities of the two servers, as the expression gives them */
export function statements(
  expression: string,
  [first, second]: readonly [string, string],
  table: string | null,
): Statements {
  const server = `case ${expression} when ${literal(first)} then 1 when ${literal(second)} then 2 end as server`;
  return {
    read: `select ${server}`,
    write: table === null ? null : `insert into ${table} (id) values ($1) returning ${server}`,
  };
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The server that a statement names. */
export function serverOf(row: { readonly server: number | null } | undefined): number {
  if (row?.server == null) throw new Error('the answer came from neither of the two servers');
  return row.server;
}

/** How this library's pools follow the name: with their defaults, asking the DNS servers that the user named, if any. */
export function followed({ dnsServers }: Ec2Target): FollowingConfig {
  return dnsServers.length === 0 ? {} : { follow: { servers: dnsServers } };
}
