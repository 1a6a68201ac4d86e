/** A database server that the lab started, behind one of its hosts. */
export interface Database {
  readonly kind: string;
  /** Where it listens itself; hosts stand in front of it. */
  readonly address: string;
  readonly port: number;
  /** SIGKILL to the server and all its children. */
  kill(): Promise<void>;
  /** SIGSTOP to all of it: connections stay, TCP answers, the server does not. */
  suspend(): Promise<void>;
  /** SIGCONT after {@link suspend}. */
  resume(): Promise<void>;
  /** Starts it again, with its data, at the same port, after a {@link kill}. Resolves when it takes connections. */
  restart(): Promise<void>;
  /** Ends it and removes its data. Does nothing the second time. */
  close(): Promise<void>;
}

export interface DatabaseContext {
  /** 0 for the first host. */
  readonly index: number;
  /** The lab's own folder, removed when the lab closes. */
  readonly folder: string;
}

/** Starts one server for each host. */
export type DatabaseFactory = (context: DatabaseContext) => Promise<Database>;

/** How an application logs in to the lab's databases. */
export interface LabConnection {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}
