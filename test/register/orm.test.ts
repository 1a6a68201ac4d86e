import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';
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
  const answered = once(child, 'message') as Promise<[Answer]>;
  child.send('ask');
  return (await answered)[0];
}

/** The server is killed under the library's connections and the name moves: the library is at the next one. */
async function failsOver(lab: Lab, library: string, query: string): Promise<void> {
  const child = await start(lab, library, query);
  try {
    expect(await ask(child)).toEqual({ port: String(lab.hosts[0]!.database.port) });
    lab.hosts[0]!.kill();
    await lab.move(lab.hosts[1]!);
    const began = performance.now();
    const errors: string[] = [];
    for (;;) {
      const { port, error } = await ask(child);
      if (error === undefined) {
        expect(port).toBe(String(lab.hosts[1]!.database.port));
        break;
      }
      errors.push(error);
    }
    const millis = Math.round(performance.now() - began);
    if (process.env['EIP_POOL_TABLE'])
      console.log(`| ${library} | ${errors.length} | ${millis} | ${errors[0] ?? ''} |`);
  } finally {
    child.disconnect();
    await once(child, 'exit');
  }
}

function libraries(databases: 'embedded-postgres' | 'mariadb', names: readonly string[], query: string): void {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ databases });
  }, 60_000);
  beforeEach(async () => await reset(lab));
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
  });
  afterAll(async () => {
    await lab?.close();
  });
  it.each(names)('%s fails over without a word about it', async (library) => await failsOver(lab, library, query));
}

describe('on pg', () => {
  const names = ['knex', 'objection', 'kysely', 'drizzle', 'typeorm', 'sequelize', 'mikro-orm', 'Prisma', 'pg-promise'];
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
