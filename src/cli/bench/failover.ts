import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FAILED, MISUSED, OK } from '../command.js';
import { isInNetwork, rerunInNetwork, SIGNALS } from '../failover/real-network.js';
import { explainMisuse } from '../misuse.js';
import { check, type Failure } from './assertion.js';
import { type Client, describeModules, findInstalled, type Skipped } from './clients.js';
import { cells, glossary, LEGEND, table } from './markdown.js';
import { type Matrix, MatrixRun, type Measurement } from './matrix.js';
import { HELP, OPTION_NAMES, type Plan, readPlan } from './plan.js';
import { machine, record, toJson } from './record.js';

const SIGNALLED = 130;

/** Resolves to the exit status: 1 where an assertion failed or nothing could be measured, 2 for arguments that it does not know. */
export async function runBenchFailover(args: readonly string[]): Promise<number> {
  let plan: Plan;
  let modules: readonly Client[];
  try {
    plan = readPlan(args);
    modules = plan.help ? [] : await describeModules(plan.modules);
  } catch (error) {
    process.stderr.write(
      `bench failover: ${explainMisuse(error, args, OPTION_NAMES)}\nTry: eip-pool bench failover --help\n`,
    );
    return MISUSED;
  }
  if (plan.help) {
    process.stdout.write(HELP);
    return OK;
  }
  if (plan.realNetwork && !isInNetwork()) {
    return await rerunInNetwork(fileURLToPath(new URL('../main.js', import.meta.url)), ['bench', 'failover', ...args]);
  }
  return await bench(plan, modules);
}

async function bench(plan: Plan, modules: readonly Client[]): Promise<number> {
  const startedAt = new Date();
  const installed = findInstalled([...plan.clients, ...modules]);
  for (const { client, reason } of installed.skipped) say(`${client} is skipped: ${reason}`);
  const matrix: Matrix = { ...plan, clients: installed.found };
  const run = new MatrixRun(matrix, say);
  let signalled = false;
  const stop = (): void => {
    signalled = true;
    void run.stop();
  };
  for (const signal of SIGNALS) process.once(signal, stop);
  let measurement: Measurement;
  try {
    measurement = await run.measure();
  } catch (error) {
    if (!signalled) throw error;
    return SIGNALLED;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  if (signalled) return SIGNALLED;
  const versions = { ...installed.versions, ...measurement.versions };
  const skipped = [...installed.skipped, ...measurement.skipped];
  report(plan, matrix, { ...measurement, versions, skipped }, startedAt);
  return judge(plan, measurement);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report(plan: Plan, matrix: Matrix, measurement: Measurement, startedAt: Date): void {
  const { cpus, cpu, os, node } = machine();
  const versions = Object.entries(measurement.versions).map(([name, version]) => `${name} ${version}`);
  const { runs, rates, parallel } = matrix;
  const text = [
    `${cpus} × ${cpu}, ${os}, Node ${node}, ${versions.join(', ')}`,
    `${runs} runs, ${rates.join(' and ')} operations a second, half of them writes; ${parallel} at a time.`,
    LEGEND,
    '',
    table(measurement.rows),
    '',
    glossary(measurement.rows),
    ...measurement.skipped.map(skippedLine),
    '',
  ].join('\n');
  process.stdout.write(text);
  if (plan.markdown !== undefined) writeFileSync(plan.markdown, text);
  if (plan.json === undefined) return;
  writeFileSync(plan.json, toJson(record(matrix, measurement, { startedAt, realNetwork: plan.realNetwork })));
}

function skippedLine({ client, reason }: Skipped): string {
  return `- ${client} was not measured: ${reason}`;
}

function judge({ asserts }: Plan, { rows }: Measurement): number {
  const failures = asserts.flatMap((assertion) => check(assertion, rows));
  for (const failure of failures) say(failureLine(failure));
  return failures.length > 0 || rows.length === 0 ? FAILED : OK;
}

function failureLine({ assertion, row, said }: Failure): string {
  if (row === null) return `failed: ${assertion.text}: ${said}`;
  return `failed: ${assertion.text}: ${row.client} in ${row.title}: ${said}\n  ${cells(row).join(' | ')}`;
}
