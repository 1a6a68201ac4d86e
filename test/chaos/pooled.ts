import { once } from 'node:events';
import pg from 'pg';
import { type Database, type DatabaseFactory, type Lab, startLab } from '../../src/lab/index.js';
import { LOGIN, pgBouncer } from '../proxies/pgbouncer.js';
import { behind } from '../server-program.js';
import { IndependentServers } from './cluster.js';
import { postgres, type ServerFault } from './dialect.js';
import { LONG } from './schedule.js';

/** As many as there are long statements at once: with these it is full. */
const SERVER_CONNECTIONS = LONG;
/** Within the time that is given to the application's sessions to go when all has ended. */
const SERVER_IDLE_SECONDS = 1;
const OCCUPIED = 'select pg_sleep(60) as occupied';

/** Independent PostgreSQL servers, each with a PgBouncer in front of it, which is what the name leads to, and what fails. */
export class PooledServers extends IndependentServers {
  readonly #lab: Lab;
  #occupants: pg.Client[] = [];

  constructor(lab: Lab) {
    super(lab, postgres);
    this.#lab = lab;
  }

  override async prepare(): Promise<void> {
    await super.prepare();
    for (const { database } of this.#lab.hosts) {
      const body = `select ${database.port}`;
      await database.query(`create or replace function here() returns int language sql stable as '${body}'`);
    }
  }

  override async tell(fault: ServerFault, begins: boolean): Promise<void> {
    if (fault !== 'pooler full') return await super.tell(fault, begins);
    if (begins) await Promise.all(this.#lab.hosts.map(async ({ database }) => await this.#occupy(database)));
    else await this.#leave();
  }

  async #occupy({ address, port }: Pick<Database, 'address' | 'port'>): Promise<void> {
    const occupants = Array.from(
      { length: SERVER_CONNECTIONS },
      () => new pg.Client({ host: address, port, ...LOGIN }),
    );
    this.#occupants.push(...occupants);
    for (const client of occupants) {
      client.on('error', () => {}); // its end
      await client.connect();
      client.query(OCCUPIED).catch(() => {});
    }
  }

  async #leave(): Promise<void> {
    const occupants = this.#occupants.splice(0);
    // Those that are still waiting in PgBouncer leave it; a server would go on with what it has begun.
    const ended = occupants.map(async (client) => await once(client, 'end'));
    for (const client of occupants) void client.end();
    for (const { database } of this.#lab.hosts)
      await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where query = '${OCCUPIED}'`);
    await Promise.all(ended);
  }
}

/** The lab of such servers. */
export async function startPooled(): Promise<{ readonly lab: Lab; close(): Promise<void> }> {
  const servers = await startLab({ databases: postgres.databases });
  try {
    const lab = await startLab({ databases: inFrontOf(servers) });
    return {
      lab,
      close: async () => {
        await lab.close();
        await servers.close();
      },
    };
  } catch (error) {
    await servers.close();
    throw error;
  }
}

/** The administrator asks the server, past PgBouncer. */
function inFrontOf(servers: Lab): DatabaseFactory {
  const settings = { default_pool_size: SERVER_CONNECTIONS, server_idle_timeout: SERVER_IDLE_SECONDS };
  const start = behind((index) => pgBouncer(servers.hosts[index]!.database.port, settings));
  return async (context) => {
    const pooler = await start(context);
    const { database } = servers.hosts[context.index]!;
    return Object.assign(pooler, { query: <Row>(sql: string) => database.query<Row>(sql) });
  };
}
