import type { LabOptions } from '../../lab/index.js';

/** The server's kind: which lab a client needs. */
export type DatabaseKind = Extract<LabOptions['databases'], 'embedded-postgres' | 'mariadb'>;

/** Where a client finds its server. */
export interface Target {
  readonly kind: DatabaseKind;
  /** Look-ups of this process find it, by the lab's DNS. */
  readonly name: string;
  readonly port: number;
  /** The lab's DNS servers, `address:port`. */
  readonly dnsServers: readonly string[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** All of it in one: `postgres://…` or `mysql://…`. */
  readonly url: string;
}

/** A client under test, as one of our processes drives it. */
export interface LoadClient {
  /** Inserts this id into the table `ledger`. May resolve to the port of the server that did it; else the ledgers tell. */
  write(id: string): Promise<unknown>;
  /** May resolve to the port of the database server that answered; else nobody knows which one did. */
  read(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** A module of a client exports this as `open`; a module of a user's may export the three functions of the client itself. */
export type OpenClient = (target: Target) => Promise<LoadClient> | LoadClient;

/** How many connections each client may have. */
export const POOL_SIZE: number = 10;
export const WRITE: string = 'insert into ledger (id) values ($1) returning inet_server_port() as port';
export const READ: string = 'select inet_server_port() as port';
/** MySQL's protocol: which server wrote is found in the ledgers, because only MariaDB has RETURNING. */
export const MYSQL_WRITE: string = 'insert into ledger (id) values (?)';
export const MYSQL_READ: string = 'select @@port as port';
