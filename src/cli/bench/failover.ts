import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explainMisuse } from '../misuse.js';
import { FAULTS, type Fault } from '../failover/fault.js';
import { type Summary, summarise } from '../failover/operation.js';
import { rerunInNetwork, SIGNALS } from '../failover/real-network.js';
import { Child } from '../failover/rpc.js';
import { Arena, type Contender } from '../failover/trial.js';
import { shuffle } from './statistics.js';
import type { BareMethods } from './bare.js';
import { type BareRow, markdown, type Row } from './report.js';

const HELP = `Usage: eip-pool bench failover [options]

Each fault × client × run: a fresh process under open load, counted from when each operation was due.

  --runs N          runs of each (3)
  --faults A,B      ${FAULTS.join(', ')} (all)
  --clients A,B     eip-pool, pg.Pool, pg.Pool tuned (all)
  --rate N          operations a second, half of them writes (100)
  --watch-millis N  how long a client is watched after the move (5000)
  --json FILE       all summaries
  --markdown FILE   the table, which is printed too
  --real-network    in a network namespace: 'silent' loses packets

Examples:
  eip-pool bench failover --runs 10 --markdown failover.md
  eip-pool bench failover --real-network --faults silent --clients eip-pool
`;

const module = (file: string): string => new URL(`../failover/${file}`, import.meta.url).href;
const CLIENTS: readonly Contender[] = [
  { label: 'eip-pool', module: module('following-pg.js') },
  { label: 'pg.Pool', module: module('stock-pg.js') },
  { label: 'pg.Pool tuned', module: module('tuned-pg.js') },
];
const BEFORE_MILLIS = 1_000;
const GRACE_MILLIS = 500;

const OPTIONS = {
  runs: { type: 'string', default: '3' },
  faults: { type: 'string', default: FAULTS.join() },
  clients: { type: 'string', default: CLIENTS.map(({ label }) => label).join() },
  rate: { type: 'string', default: '100' },
  'watch-millis': { type: 'string', default: '5000' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  'real-network': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Plan {
  readonly runs: number;
  readonly faults: readonly Fault[];
  readonly contenders: readonly Contender[];
  readonly ratePerSecond: number;
  readonly watchedMillis: number;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly realNetwork: boolean;
  readonly help: boolean;
}

/** Resolves to the exit status: 0, or 2 for arguments that it does not know. */
export async function runBenchFailover(args: readonly string[]): Promise<number> {
  let plan: Plan;
  try {
    plan = readPlan(args);
  } catch (error) {
    process.stderr.write(`${explainMisuse(error, args, Object.keys(OPTIONS))}\n\n${HELP}`);
    return 2;
  }
  if (plan.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (plan.realNetwork) {
    const script = fileURLToPath(new URL('../main.js', import.meta.url));
    return await rerunInNetwork(script, ['bench', 'failover', ...args.filter((arg) => arg !== '--real-network')]);
  }
  await bench(plan);
  return 0;
}

function readPlan(args: readonly string[]): Plan {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const labels = CLIENTS.map(({ label }) => label);
  return {
    runs: positive('runs', values.runs),
    faults: chosen('faults', FAULTS, values.faults),
    contenders: chosen('clients', labels, values.clients).map((label) => CLIENTS[labels.indexOf(label)]!),
    ratePerSecond: positive('rate', values.rate),
    watchedMillis: positive('watch-millis', values['watch-millis']),
    json: values.json,
    markdown: values.markdown,
    realNetwork: values['real-network'] === true,
    help: values.help === true,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new Error(`--${name}: expected a number above 0, got '${text}'`);
  return value;
}

function chosen<T extends string>(name: string, known: readonly T[], list: string): T[] {
  return list.split(',').map((given) => {
    const found = known.find((one) => one === given);
    if (found === undefined) throw new Error(`--${name}: expected some of ${known.join(', ')}, got '${given}'`);
    return found;
  });
}

async function bench(plan: Plan): Promise<void> {
  const { faults, contenders } = plan;
  const rows: Row[] = faults.flatMap((fault) => contenders.map(({ label }) => ({ fault, client: label, runs: [] })));
  const bare: BareRow[] = faults.map((fault) => ({ fault, millis: [] }));
  const arena = await Arena.open();
  const bareScript = new Child<BareMethods>(fileURLToPath(new URL('bare.js', import.meta.url)));
  for (const signal of SIGNALS) process.once(signal, () => void Promise.all([bareScript.end(), arena.close()]));
  try {
    for (let run = 1; run <= plan.runs; run++) {
      for (const fault of faults) {
        process.stderr.write(`run ${run} of ${plan.runs}: ${fault}\n`);
        bare.find((row) => row.fault === fault)!.millis.push(await bareLimit(arena, bareScript, fault));
        for (const contender of shuffle([...contenders])) {
          const row = rows.find(({ fault: own, client }) => own === fault && client === contender.label)!;
          row.runs.push(await oneRun(arena, fault, contender, plan));
        }
      }
    }
  } finally {
    await Promise.all([bareScript.end(), arena.close()]);
  }
  report(rows, bare, plan);
}

async function oneRun(arena: Arena, fault: Fault, contender: Contender, plan: Plan): Promise<Summary> {
  const { change, operations } = await arena.run(fault, [contender], {
    ratePerSecond: plan.ratePerSecond,
    beforeMillis: BEFORE_MILLIS,
    afterMillis: plan.watchedMillis,
    graceMillis: GRACE_MILLIS,
  });
  return summarise(operations[0]!, change);
}

async function bareLimit(arena: Arena, script: Child<BareMethods>, fault: Fault): Promise<number> {
  await arena.heal();
  await script.call('warm', arena.target);
  await arena.inflict(fault);
  return await script.call('go', arena.target);
}

function report(rows: readonly Row[], bare: readonly BareRow[], plan: Plan): void {
  const { watchedMillis } = plan;
  const [cpu] = os.cpus();
  const machine = `${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`;
  const how = `${plan.runs} runs, ${plan.ratePerSecond} operations a second, watched ${watchedMillis} ms; median (worst)`;
  const text = `${machine}\n${how}\n\n${markdown(rows, bare, watchedMillis)}\n`;
  process.stdout.write(text);
  if (plan.markdown !== undefined) writeFileSync(plan.markdown, text);
  if (plan.json !== undefined) writeFileSync(plan.json, JSON.stringify({ machine, how, bare, rows }, null, 2));
}
