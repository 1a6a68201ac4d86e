import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, type LabHost, startLab } from '../../src/lab/index.js';
import { onServers } from '../mysql2/support.js';
import { FOLLOW, reset } from '../orm/support.js';

const program = fileURLToPath(new URL('fixtures/library.mjs', import.meta.url));
type Answer = { readonly port?: string; readonly error?: string };

/** The same application as with the driver alone, started by `node --import eip-pool/register`. */
async function start(lab: Lab, library: string, query: string): Promise<ChildProcess> {
  const config = { follow: { servers: lab.servers, ...FOLLOW } };
  const server = { host: lab.name, port: lab.port, ...lab.connection! };
  const child = fork(program, [library], {
    execArgv: ['--import', 'eip-pool/register'],
    env: { ...process.env, EIP_POOL: JSON.stringify(config), SERVER: JSON.stringify(server), PORT_QUERY: query },
  });
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess): Promise<Answer> {
  const over = once(child, 'exit').then(([code]) => [{ error: `the application ended with ${code}` }]);
  const answered = Promise.race([once(child, 'message'), over]) as Promise<[Answer]>;
  child.send('ask');
  const [answer] = await answered;
  expect(child.exitCode, answer.error).toBe(null);
  return answer;
}

/** The server is killed under the library's connections and the name moves: the library is at the next one. */
async function failsOver(lab: Lab, library: string, query: string): Promise<void> {
  const child = await start(lab, library, query);
  try {
    expect(await ask(child)).toEqual({ port: String(lab.hosts[0]!.database.port) });
    lab.hosts[0]!.kill();
    const began = performance.now();
    let answer = ask(child);
    await lab.move(lab.hosts[1]!);
    const errors: string[] = [];
    for (;;) {
      const { port, error } = await answer;
      if (error === undefined) {
        expect(port).toBe(String(lab.hosts[1]!.database.port));
        break;
      }
      errors.push(error);
      answer = ask(child);
    }
    const millis = Math.round(performance.now() - began);
    const { EIP_POOL_TABLE: table } = process.env;
    if (table !== undefined)
      appendFileSync(table, `| ${library} | ${errors.length} | ${millis} | ${errors[0] ?? ''} |\n`);
  } finally {
    child.disconnect();
    await once(child, 'exit');
  }
}

/** For connect-pg-simple. */
async function keepSession({ database }: LabHost): Promise<void> {
  await database.query(
    'create table session (sid varchar primary key, sess json not null, expire timestamp(6) not null)',
  );
  await database.query('grant all on session to public');
  await database.query(`insert into session values ('id', '{"port":${database.port}}', now() + interval '1 day')`);
}

function libraries(databases: 'embedded-postgres' | 'mariadb', names: readonly string[], query: string): void {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ databases });
    if (databases === 'embedded-postgres') for (const host of lab.hosts) await keepSession(host);
  }, 60_000);
  beforeEach(async () => await reset(lab));
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
  });
  afterAll(async () => {
    await lab?.close();
  });
  it.each(names)('%s fails over without its recipe', async (library) => await failsOver(lab, library, query));
}

describe('on pg', () => {
  const names = [
    'knex',
    'objection',
    'kysely',
    'drizzle',
    'typeorm',
    'sequelize',
    'mikro-orm',
    'Prisma',
    'pg-promise',
    'connect-pg-simple',
    'graphile-worker',
  ];
  libraries('embedded-postgres', ['pg', ...names], 'select inet_server_port() as port');
});

onServers('on mysql2', () => {
  const names = ['knex', 'objection', 'kysely', 'drizzle', 'typeorm', 'sequelize'];
  libraries(
    'mariadb',
    names.map((name) => `${name} (mysql2)`),
    'select @@port as port',
  );
});
