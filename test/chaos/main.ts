import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { judge } from './report.js';
import { FAULTS, type Fault } from './schedule.js';
import { type Driver, type Mode, run } from './trial.js';

const HELP = `npm run chaos -- [options]

Failovers of two real servers under load, with faults drawn from a seed; then the history is checked. Exit status 1 if it
breaks what the library promises.

  --failovers N   how many in all, shared between the modes (default 1000)
  --seed S        the same seed gives the same faults (default: a new one)
  --driver D      pg or mysql2 (default pg)
  --mode M        independent, replicated, or both at once (default both; mysql2: independent)
  --faults F      of ${FAULTS.join(',')} (default all)
  --rate R        operations a second in each mode (default 60)
  --library P     the build under test (default dist/esm)
`;

const { values } = parseArgs({
  options: {
    failovers: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    driver: { type: 'string', default: 'pg' },
    mode: { type: 'string', default: 'both' },
    faults: { type: 'string', default: FAULTS.join(',') },
    rate: { type: 'string', default: '60' },
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
  const driver = oneOf<Driver>('driver', values.driver, ['pg', 'mysql2']);
  const both: readonly Mode[] = driver === 'pg' ? ['independent', 'replicated'] : ['independent'];
  const modes = values.mode === 'both' ? both : [oneOf<Mode>('mode', values.mode, both)];
  const faults = values.faults.split(',').map((fault) => oneOf<Fault>('faults', fault, FAULTS));
  const [failovers, ratePerSecond] = [count('failovers', values.failovers), count('rate', values.rate)];
  const trials = await Promise.all(
    modes.map((mode, i) =>
      run({
        ...{ mode, driver, seed: seed + i, faults, ratePerSecond },
        failovers: Math.ceil(failovers / modes.length),
        library: resolve(values.library),
        onFailover: ({ number, fault, naming }) => {
          process.stderr.write(`${mode} ${number}: ${fault}, ${naming}\n`);
        },
      }),
    ),
  );
  const verdicts = trials.map(judge);
  for (const { text } of verdicts) process.stdout.write(`${text}\n`);
  const good = verdicts.every(({ violations }, i) => violations.length === 0 && trials[i]!.troubles.length === 0);
  process.stdout.write(good ? 'nothing hung, nothing twice, nothing lost\n' : `broken; again with --seed ${seed}\n`);
  return good ? 0 : 1;
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
