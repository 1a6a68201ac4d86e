import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors.js';
import { findProgram } from '../server-program.js';
import { type Incident, INCIDENTS, incidentsOf } from './incident.js';
import { isPossible, type Local, LOCALS } from './local.js';
import { missing } from './local-faults.js';
import { judge, total } from './report.js';
import { FAULTS, type Fault } from './schedule.js';
import { type Driver, type Mode, run } from './trial.js';

const HELP = `npm run chaos -- [options]

Failovers of two real servers under load, with faults drawn from a seed; then the history is checked. Exit status 1 if it
breaks what the library promises.

  --failovers N   how many in all, shared between the modes (default 1000)
  --minutes M     begins none after so many minutes, and says how many there were (default: no limit)
  --seed S        the same seed gives the same faults (default: a new one)
  --parallel N    so many pairs of servers in each mode at once, which share the failovers (default 1)
  --driver D      pg, mysql2 or generic-pool (default pg)
  --mode M        independent, replicated, pooled (PgBouncer in front of independent servers), or all at once
                  (default all; pg only, the others: independent)
  --faults F      of ${FAULTS.join(',')} (default all)
  --locals L      of ${LOCALS.join(',')}, or none: faults of the application itself, while failovers go on
                  and between them (default all that the driver can have)
  --incidents I   of ${INCIDENTS.join(',')}, or none: what happens before the name moves
                  or while it does (default all that the servers can have)
  --rate R        operations a second in each mode (default 60)
  --deadline M    how many milliseconds a caller waits for a connection (default 10000)
  --history F     writes all that is known to these files, with the mode, the seed and .json after the name
  --library P     the build under test (default dist/esm)
`;

const { values } = parseArgs({
  options: {
    failovers: { type: 'string', default: '1000' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    parallel: { type: 'string', default: '1' },
    driver: { type: 'string', default: 'pg' },
    mode: { type: 'string', default: 'all' },
    faults: { type: 'string', default: FAULTS.join(',') },
    locals: { type: 'string' },
    incidents: { type: 'string', default: INCIDENTS.join(',') },
    rate: { type: 'string', default: '60' },
    deadline: { type: 'string', default: '10000' },
    history: { type: 'string' },
    library: { type: 'string', default: 'dist/esm' },
    help: { type: 'boolean', default: false },
  },
});

const SEEDS = 2 ** 31;

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = count('seed', values.seed ?? `${1 + Math.floor(Math.random() * SEEDS)}`);
  process.stdout.write(`seed ${seed}\n`);
  const driver = oneOf<Driver>('driver', values.driver, ['pg', 'mysql2', 'generic-pool']);
  const modes = modesFor(driver);
  const faults = values.faults.split(',').map((fault) => oneOf<Fault>('faults', fault, FAULTS));
  const locals = await localsFor(driver);
  const incidents =
    values.incidents === 'none'
      ? []
      : values.incidents.split(',').map((one) => oneOf<Incident>('incidents', one, INCIDENTS));
  const [failovers, ratePerSecond] = [count('failovers', values.failovers), count('rate', values.rate)];
  const parallel = count('parallel', values.parallel);
  const pairs = Array.from({ length: parallel }, () => modes).flat();
  const runs = await Promise.allSettled(
    pairs.map((mode, i) => {
      const isOnly = locals.length === 1;
      const isEncrypted = mode === 'independent' && locals.includes('rotated certificate');
      const tls = isEncrypted && (isOnly || (seed + i) % 2 === 1);
      const pair = parallel === 1 ? mode : `${mode} ${seed + i}`;
      return run({
        ...{
          mode,
          driver,
          tls,
          seed: seed + i,
          faults,
          locals: locals.filter((local) => isPossible(local, driver, mode, tls)),
          incidents: incidents.filter((one) => incidentsOf(mode).includes(one)),
          ratePerSecond,
          deadlineMillis: count('deadline', values.deadline),
          lastsMillis: values.minutes === undefined ? Infinity : 60_000 * count('minutes', values.minutes),
        },
        failovers: Math.ceil(failovers / pairs.length),
        library: resolve(values.library),
        onFailover: ({ number, fault, naming, trouble, crowd, long, incident }) => {
          const more = [
            incident ?? undefined,
            trouble?.local,
            long > 0 ? 'long statements' : undefined,
            crowd > 0 ? `${crowd} callers` : undefined,
          ].filter((one) => one !== undefined);
          process.stderr.write(`${pair}, ${number}: ${[fault, naming, ...more].join(', ')}\n`);
        },
        onTrouble: (text) => process.stderr.write(`${pair}: ${text}\n`),
      });
    }),
  );
  // One that fails as a whole says nothing of the others.
  const failed = runs.flatMap((one) => (one.status === 'rejected' ? [messageOf(one.reason)] : []));
  const trials = runs.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  for (const text of failed) process.stdout.write(`TROUBLE ${text}\n`);
  for (const { options, history } of trials) {
    if (values.history !== undefined)
      await writeFile(`${values.history}-${options.mode}-${options.seed}.json`, JSON.stringify(history));
  }
  const verdicts = trials.map(judge);
  for (const { text } of verdicts) process.stdout.write(`${text}\n`);
  if (trials.length > 1) process.stdout.write(`${total(trials, verdicts)}\n`);
  const good =
    failed.length === 0 &&
    verdicts.every(({ violations }, i) => violations.length === 0 && trials[i]!.troubles.length === 0);
  process.stdout.write(good ? 'nothing hung, nothing twice, nothing lost\n' : `broken; again with --seed ${seed}\n`);
  return good ? 0 : 1;
}

function modesFor(driver: Driver): readonly Mode[] {
  const possible: readonly Mode[] = driver === 'pg' ? ['independent', 'replicated', 'pooled'] : ['independent'];
  if (values.mode !== 'all') return [oneOf<Mode>('mode', values.mode, possible)];
  if (!possible.includes('pooled') || findProgram('pgbouncer') !== null) return possible;
  process.stdout.write('not run: servers with a pooler in front of them: there is no pgbouncer here\n');
  return possible.filter((mode) => mode !== 'pooled');
}

async function localsFor(driver: Driver): Promise<Local[]> {
  if (values.locals === 'none') return [];
  const wanted = values.locals?.split(',').map((local) => oneOf<Local>('locals', local, LOCALS)) ?? LOCALS;
  const here: Local[] = [];
  for (const local of wanted) {
    const reason = await missing(local, driver);
    if (reason === null) here.push(local);
    else process.stdout.write(`not drawn: ${reason}\n`);
  }
  return here;
}

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new Error(`--${option}: '${value}' is none of ${known.join(', ')}`);
  return found;
}

function count(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option}: '${value}' is no number from 1 on`);
  return number;
}

process.exitCode = await main();
