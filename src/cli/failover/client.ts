/** Where a client finds its server. */
export interface Target {
  readonly name: string;
  readonly port: number;
  /** The lab's DNS servers, `address:port`. */
  readonly dnsServers: readonly string[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A client under test, as one of our processes drives it. */
export interface LoadClient {
  /** Writes a row with this id; resolves to the port of the database server that did it. */
  write(id: string): Promise<number>;
  /** Resolves to the port of the database server that answered. */
  read(): Promise<number>;
  close(): Promise<void>;
}

/** A module of a client exports this as `open`. */
export type OpenClient = (target: Target) => Promise<LoadClient> | LoadClient;

/** How many connections each client may have. */
export const POOL_SIZE: number = 10;
export const WRITE: string = 'insert into ledger (id) values ($1) returning inet_server_port() as port';
export const READ: string = 'select inet_server_port() as port';
