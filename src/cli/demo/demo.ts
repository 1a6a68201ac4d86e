import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explainMisuse } from '../misuse.js';
import { type Fault, specOf } from '../failover/fault.js';
import { summarise } from '../failover/operation.js';
import { rerunInNetwork, SIGNALS } from '../failover/real-network.js';
import { Arena, type Contender } from '../failover/trial.js';
import { type Result, table } from './results.js';
import { Screen } from './screen.js';

const HELP = `Usage: eip-pool demo [options], or npm run demo [-- options]

Moves a name between two real PostgreSQL servers, four times, under the load of this library's pool and of pg.Pool.
Each does 50 operations a second, half of them writes.

  --real-network  in a network namespace with port 53 and real packet loss (Linux; no root needed where
                  the system lets users make namespaces)
  --json          the results as one line of JSON, and nothing else
  --help          this text

Examples:
  eip-pool demo
  eip-pool demo --real-network --json
`;

const RATE_PER_SECOND = 50;
const BEFORE_MILLIS = 1_000;
const AFTER_MILLIS = 5_000;
const GRACE_MILLIS = 500;

const FAULTS: readonly Fault[] = ['kill', 'alive', 'silent', 'kill-late'];

const module = (file: string): string => new URL(`../failover/clients/${file}`, import.meta.url).href;
const OURS: Contender = { label: 'eip-pool', module: module('eip-pool-pg.js') };
const CONTENDERS: readonly Contender[] = [OURS, { label: 'pg.Pool', module: module('pg.js') }];

/**
 * Resolves to the exit status: 0 if this library's pool reached the new server every time, without anything hung; 2 for
 * arguments that it does not know.
 */
export async function runDemo(args: readonly string[]): Promise<number> {
  const flags = readFlags(args);
  if (flags === null) return 2;
  if (flags.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const json = flags.json === true;
  if (flags['real-network'] !== true) return await play(json);
  return await rerunInNetwork(fileURLToPath(new URL('main.js', import.meta.url)), json ? ['--json'] : []);
}

const OPTIONS = {
  'real-network': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function readFlags(args: readonly string[]): Partial<Record<keyof typeof OPTIONS, boolean>> | null {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(`${explainMisuse(error, args, Object.keys(OPTIONS))}\n\n${HELP}`);
    return null;
  }
}

async function play(json: boolean): Promise<number> {
  const screen = new Screen(
    process.stdout,
    !json && isatty(1),
    json,
    CONTENDERS.map(({ label }) => label),
  );
  screen.say('Two PostgreSQL servers, a DNS server, db.example.com -> ec2-75-101-137-243.compute-1.amazonaws.com ...');
  const arena = await Arena.open();
  let signalled: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    signalled = signal;
    void arena.close();
  };
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    const results: Result[] = [];
    for (const fault of FAULTS) results.push(...(await oneFailover(arena, fault, screen)));
    if (json) process.stdout.write(`${JSON.stringify({ watchedMillis: AFTER_MILLIS, results })}\n`);
    screen.say(`\n${table(results, AFTER_MILLIS)}`);
    screen.say('\nfirst success: from the move of the name to the end of the first operation on the new server.');
    const ours = results.filter(({ label }) => label === OURS.label);
    return ours.every(({ summary }) => summary.firstSuccess !== null && summary.hung === 0) ? 0 : 1;
  } catch (error) {
    if (signalled === undefined) throw error;
    return 130;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    await arena.close();
  }
}

async function oneFailover(arena: Arena, fault: Fault, screen: Screen): Promise<Result[]> {
  screen.begin(specOf(fault).description);
  const { change, courses } = await arena.run(fault, CONTENDERS, {
    ratePerSecond: RATE_PER_SECOND,
    beforeMillis: BEFORE_MILLIS,
    afterMillis: AFTER_MILLIS,
    graceMillis: GRACE_MILLIS,
    onProgress: (label, progress) => screen.progress(label, progress),
    onChange: (happened) => screen.changed(happened),
  });
  return CONTENDERS.map(({ label }, i) => ({ fault, label, summary: summarise(courses[i]!.operations, change) }));
}
