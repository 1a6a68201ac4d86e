import type { Endpoint, FollowOptions } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createPool, type PoolOptions } from '../../src/mysql2/index.js';
import { Pool, type PoolConfig } from '../../src/pg/index.js';
import { LOGIN, MARIADB, MYSQL, POSTGRES, type ServerImage } from './server-image.js';

/** What the tests need of a pool, whichever driver it serves. */
export interface DriverPool {
  readonly endpoint: Endpoint;
  /** Which server runs a statement that is given to the pool. */
  server(): Promise<string>;
  lease(): Promise<Lease>;
  end(): Promise<void>;
}

export interface Lease {
  server(): Promise<string>;
  /** A statement that takes half a minute. */
  sleep(): Promise<unknown>;
  release(): void;
}

export interface Driver {
  readonly name: string;
  readonly server: ServerImage;
  open(target: Target, options?: DriverOptions): DriverPool;
}

type Target = Pick<Lab, 'name' | 'port' | 'servers'>;
export type DriverOptions = Pick<PoolConfig, 'failover'> & Pick<PoolOptions, 'ssl'>;

interface Row {
  readonly id: string;
}

const follow = ({ servers }: Target): FollowOptions => ({ servers });

const PG: Driver = {
  name: 'eip-pool/pg',
  server: POSTGRES,
  open: (target, { failover } = {}) => {
    const pool = new Pool({
      host: target.name,
      port: target.port,
      ...LOGIN,
      follow: follow(target),
      failover,
    });
    const serverOf = async (from: Pick<Pool, 'query'>): Promise<string> =>
      (await from.query<Row>(POSTGRES.identity)).rows[0]!.id;
    return {
      endpoint: pool.endpoint!,
      server: () => serverOf(pool),
      lease: async () => {
        const client = await pool.connect();
        return {
          server: async () => (await client.query<Row>(POSTGRES.identity)).rows[0]!.id,
          sleep: () => client.query('select pg_sleep(30)'),
          release: () => client.release(),
        };
      },
      end: () => pool.end(),
    };
  },
};

function mysql2(server: ServerImage): Driver {
  return {
    name: 'eip-pool/mysql2',
    server,
    open: (target, { failover, ssl } = {}) => {
      const callbackPool = createPool({
        host: target.name,
        port: target.port,
        ...LOGIN,
        follow: follow(target),
        failover,
        ...(ssl === undefined ? {} : { ssl }),
      });
      const pool = callbackPool.promise();
      const idOf = ([rows]: [unknown, unknown]): string => (rows as Row[])[0]!.id;
      return {
        endpoint: callbackPool.endpoint!,
        server: async () => idOf(await pool.query(server.identity)),
        lease: async () => {
          const connection = await pool.getConnection();
          return {
            server: async () => idOf(await connection.query(server.identity)),
            sleep: () => connection.query('select sleep(30)'),
            release: () => connection.release(),
          };
        },
        end: () => pool.end(),
      };
    },
  };
}

export const DRIVERS: readonly Driver[] = [PG, mysql2(MARIADB), mysql2(MYSQL)];
