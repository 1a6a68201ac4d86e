import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Runner, type Totals } from './runner.js';
import { RealStage } from './stage.js';
import { type Only, SUITES } from './suite.js';

const HELP = `npm run differential -- [options]

Random programs over the public API of a drop-in, each run on the driver's own pool and on ours, against the same real
server: results, order of callbacks, events and counters have to be the same. Exit status 1 if they are not.

  --only D        pg, mysql2 or generic-pool (default: all, one after the other)
  --programs N    how many for each (default 1000)
  --seed S        the same seed gives the same programs (default: a new one)
  --differences N how many are reduced and printed until it stops (default 3)
  --run P         this program, as it was printed
  --library P     the build under test (default dist/esm)
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    programs: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    differences: { type: 'string', default: '3' },
    run: { type: 'string' },
    library: { type: 'string', default: 'dist/esm' },
    help: { type: 'boolean', default: false },
  },
});

const SEEDS = 2 ** 31;
const TOLD_EVERY = 500;

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = count('seed', values.seed ?? `${1 + Math.floor(Math.random() * SEEDS)}`);
  const known = Object.keys(SUITES) as Only[];
  const chosen = values.only === undefined ? known : known.filter((one) => one === values.only);
  if (chosen.length === 0) throw new Error(`--only: '${values.only}' is none of ${known.join(', ')}`);
  let differences = 0;
  for (const only of chosen) differences += await compareOn(only, seed);
  return differences === 0 ? 0 : 1;
}

async function compareOn(only: Only, seed: number): Promise<number> {
  const stage = await RealStage.open(SUITES[only], resolve(values.library));
  const began = process.hrtime.bigint();
  try {
    const runner = new Runner(SUITES[only], stage);
    runner.onProgram = (programs) => {
      if (programs % TOLD_EVERY === 0) process.stderr.write(`${only}: ${programs} programs\n`);
    };
    runner.onDifference = ({ program, text }) => {
      const again = `npm run differential -- --only ${only} --run '${JSON.stringify(program)}'`;
      process.stdout.write(`DIFFERENT: ${again}\n${text}\n`);
    };
    if (values.run !== undefined) {
      const program = JSON.parse(values.run) as Parameters<Runner['judge']>[0];
      const verdict = await runner.judge(program);
      process.stdout.write(`${await runner.describe(program)}\n${verdict}\n`);
      return verdict === 'different' ? 1 : 0;
    }
    process.stdout.write(`${only}, seed ${seed}\n`);
    const totals = await runner.run(count('programs', values.programs), seed, count('differences', values.differences));
    report(only, totals, Number(process.hrtime.bigint() - began) / 1e9);
    return totals.differences.length;
  } finally {
    await stage[Symbol.asyncDispose]();
  }
}

function report(only: Only, totals: Totals, seconds: number): void {
  const { programs, same, undecided, explained, differences } = totals;
  if (totals.wavering !== null) {
    process.stdout.write(`UNDECIDED ${JSON.stringify(totals.wavering.program)}\n${totals.wavering.text}\n`);
  }
  for (const [reason, times] of explained) process.stdout.write(`  meant, ${times} times: ${reason}\n`);
  process.stdout.write(
    `${only}: ${programs} programs (${totals.runs} runs) in ${Math.round(seconds)} s: ${same} the same, ` +
      `${programs - same - undecided - differences.length} different as meant, ${undecided} undecided, ` +
      `${differences.length} unexplained differences\n`,
  );
}

function count(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option}: '${value}' is no number from 1 on`);
  return number;
}

process.exitCode = await main();
