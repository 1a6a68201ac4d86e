import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from '../../src/cli/failover/fault.js';
import { type Summary, summarise } from '../../src/cli/failover/operation.js';
import { rerunInNetwork, SIGNALS } from '../../src/cli/failover/real-network.js';
import { Child } from '../../src/cli/failover/rpc.js';
import { Arena, type Contender } from '../../src/cli/failover/trial.js';
import { shuffle } from '../statistics.js';
import type { BareMethods } from './bare.js';
import { type BareRow, markdown, type Row } from './report.js';

const HELP = `Usage: npm run bench:failover -- [options]

Each fault × client × run: a fresh process under open load, counted from when each operation was due.

  --runs N          runs of each (3)
  --faults A,B      ${FAULTS.join(', ')} (all)
  --clients A,B     eip-pool, pg.Pool, pg.Pool tuned (all)
  --rate N          operations a second, half of them writes (100)
  --watch-millis N  how long a client is watched after the move (5000)
  --json FILE       all summaries
  --markdown FILE   the table, which is printed too
  --real-network    in a network namespace: 'silent' loses packets
`;

const module = (file: string): string => new URL(file, import.meta.url).href;
const CLIENTS: readonly Contender[] = [
  { label: 'eip-pool', module: module('../../src/cli/failover/following-pg.js') },
  { label: 'pg.Pool', module: module('../../src/cli/failover/stock-pg.js') },
  { label: 'pg.Pool tuned', module: module('tuned-pg.js') },
];
const BEFORE_MILLIS = 1_000;
const GRACE_MILLIS = 500;

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    faults: { type: 'string', default: FAULTS.join() },
    clients: { type: 'string', default: CLIENTS.map(({ label }) => label).join() },
    rate: { type: 'string', default: '100' },
    'watch-millis': { type: 'string', default: '5000' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    'real-network': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (flags.help === true) process.stdout.write(HELP);
else if (flags['real-network'] === true) {
  const args = process.argv.slice(2).filter((arg) => arg !== '--real-network');
  process.exitCode = await rerunInNetwork(fileURLToPath(import.meta.url), args);
} else await bench();

async function bench(): Promise<void> {
  const faults = chosen(FAULTS, flags.faults);
  const contenders = chosen(
    CLIENTS.map(({ label }) => label),
    flags.clients,
  ).map((label) => CLIENTS.find((client) => client.label === label)!);
  const rows: Row[] = faults.flatMap((fault) => contenders.map(({ label }) => ({ fault, client: label, runs: [] })));
  const bare: BareRow[] = faults.map((fault) => ({ fault, millis: [] }));
  const arena = await Arena.open();
  const bareScript = new Child<BareMethods>(fileURLToPath(new URL('bare.js', import.meta.url)));
  for (const signal of SIGNALS) process.once(signal, () => void Promise.all([bareScript.end(), arena.close()]));
  try {
    for (let run = 1; run <= Number(flags.runs); run++) {
      for (const fault of faults) {
        process.stderr.write(`run ${run} of ${flags.runs}: ${fault}\n`);
        bare.find((row) => row.fault === fault)!.millis.push(await bareLimit(arena, bareScript, fault));
        for (const contender of shuffle([...contenders])) {
          const row = rows.find(({ fault: own, client }) => own === fault && client === contender.label)!;
          row.runs.push(await oneRun(arena, fault, contender));
        }
      }
    }
  } finally {
    await Promise.all([bareScript.end(), arena.close()]);
  }
  report(rows, bare);
}

async function oneRun(arena: Arena, fault: Fault, contender: Contender): Promise<Summary> {
  const { change, operations } = await arena.run(fault, [contender], {
    ratePerSecond: Number(flags.rate),
    beforeMillis: BEFORE_MILLIS,
    afterMillis: Number(flags['watch-millis']),
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

function report(rows: readonly Row[], bare: readonly BareRow[]): void {
  const watchedMillis = Number(flags['watch-millis']);
  const [cpu] = os.cpus();
  const machine = `${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`;
  const how = `${flags.runs} runs, ${flags.rate} operations a second, watched ${watchedMillis} ms; median (worst)`;
  const text = `${machine}\n${how}\n\n${markdown(rows, bare, watchedMillis)}\n`;
  process.stdout.write(text);
  if (flags.markdown !== undefined) writeFileSync(flags.markdown, text);
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ machine, how, flags, bare, rows }, null, 2));
}

function chosen<T extends string>(known: readonly T[], list: string): T[] {
  return list.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`no such choice: ${name}; expected one of ${known.join(', ')}`);
    return found;
  });
}
