import { createConnection, type Connection } from 'mysql2/promise';
import pg from 'pg';

/** How the tests log in. */
export const LOGIN = { user: 'app', password: 'app-secret', database: 'app' } as const;
export const ADMIN_PASSWORD: string = 'admin-secret';

/** A kind of server that runs in a container. */
export interface ServerImage {
  readonly kind: 'postgres' | 'mariadb' | 'mysql';
  /** The official image, or the one that the environment names. */
  readonly image: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Which server it is: the same after a restart, and another one in each container. */
  readonly identity: string;
  /** Runs one statement as the administrator. */
  query<Row>(address: string, port: number, sql: string): Promise<Row[]>;
}

export const POSTGRES: ServerImage = {
  kind: 'postgres',
  image: process.env['EIP_POOL_POSTGRES_IMAGE'] ?? 'postgres:18',
  port: 5432,
  environment: { POSTGRES_USER: LOGIN.user, POSTGRES_PASSWORD: LOGIN.password, POSTGRES_DB: LOGIN.database },
  identity: 'select system_identifier::text as id from pg_control_system()',
  query: async <Row>(host: string, port: number, sql: string): Promise<Row[]> => {
    const client = new pg.Client({ host, port, ...LOGIN, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined); // the query reports it
    try {
      await client.connect();
      return (await client.query(sql)).rows as Row[];
    } finally {
      await client.end();
    }
  },
};

export const MARIADB: ServerImage = {
  kind: 'mariadb',
  image: process.env['EIP_POOL_MARIADB_IMAGE'] ?? 'mariadb:11.8',
  environment: variables('MARIADB'),
  ...mysqlProtocol(),
};

export const MYSQL: ServerImage = {
  kind: 'mysql',
  image: process.env['EIP_POOL_MYSQL_IMAGE'] ?? 'mysql:9',
  environment: variables('MYSQL'),
  ...mysqlProtocol(),
};

function variables(prefix: 'MARIADB' | 'MYSQL'): Record<string, string> {
  return {
    [`${prefix}_ROOT_PASSWORD`]: ADMIN_PASSWORD,
    [`${prefix}_USER`]: LOGIN.user,
    [`${prefix}_PASSWORD`]: LOGIN.password,
    [`${prefix}_DATABASE`]: LOGIN.database,
  };
}

function mysqlProtocol(): Pick<ServerImage, 'port' | 'identity' | 'query'> {
  return {
    port: 3306,
    identity: 'select @@hostname as id',
    query: async <Row>(host: string, port: number, sql: string): Promise<Row[]> => {
      const { database } = LOGIN;
      let connection: Connection | undefined;
      try {
        connection = await createConnection({ host, port, user: 'root', password: ADMIN_PASSWORD, database });
        connection.on('error', () => undefined); // the query reports it
        return (await connection.query(sql))[0] as Row[];
      } finally {
        await connection?.end();
      }
    },
  };
}
