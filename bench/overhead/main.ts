import os from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../../src/cli/bench/statistics.js';
import type { Child } from '../../src/cli/failover/rpc.js';
import { interval, type Rounds } from './compare.js';
import { type DriverName, DRIVERS, loadDriver } from './driver.js';
import { dnsPerHour, memoryPerConnection } from './idle-costs.js';
import { inProcess } from './in-process.js';
import { Labs } from './labs.js';
import { pin } from './pin.js';
import type { Asked, RateMethods } from './rate-process.js';

const HELP = `Usage: npm run bench:overhead -- [options]

What the pools cost while nothing fails, against the drivers' own: both in one process, in alternating slices, and that in
several processes. Then the event loop's delay under the same load, memory for each idle connection, and DNS questions.

  --only A,B        ${DRIVERS.join(', ')} (all)
  --measure A,B     rate, delay, memory, dns (all)
  --processes N     one after another, each with all the rounds (5)
  --rounds N        in each process; each with new pools (12)
  --slices N        of each side in each round (10)
  --slice-millis N  (30)
  --at-a-time N,N   callers at a time (1,10,100)
  --dns-seconds N   how long DNS questions are counted (60)
  --no-pin          leave it to Linux on which cores client and servers run
`;

const POOL_SIZE = 10;
/** Several pools of a process share their questions. */
const POOLS_ON_ONE_NAME = 10;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: DRIVERS.join() },
    measure: { type: 'string', default: 'rate,delay,memory,dns' },
    processes: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '12' },
    slices: { type: 'string', default: '10' },
    'slice-millis': { type: 'string', default: '30' },
    'at-a-time': { type: 'string', default: '1,10,100' },
    'dns-seconds': { type: 'string', default: '60' },
    'no-pin': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
});
const rounds: Rounds = {
  rounds: Number(flags.rounds),
  slices: Number(flags.slices),
  sliceMillis: Number(flags['slice-millis']),
  poolSize: POOL_SIZE,
};
const atATime = flags['at-a-time'].split(',').map(Number);
const measured = new Set(flags.measure.split(','));

if (flags.help === true) process.stdout.write(HELP);
else await bench(chosen(flags.only));

function chosen(list: string): DriverName[] {
  return list.split(',').map((given) => {
    const found = DRIVERS.find((one) => one === given);
    if (found === undefined) throw new Error(`--only: expected some of ${DRIVERS.join(', ')}, got '${given}'`);
    return found;
  });
}

async function bench(names: readonly DriverName[]): Promise<void> {
  const [cpu] = os.cpus();
  console.log(`${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`);
  const pinned = !flags['no-pin'] && pin('client');
  const where = pinned ? 'client and servers on a core each' : 'not pinned to cores';
  const slices = `${flags.slices} slices of ${flags['slice-millis']} ms a side`;
  console.log(`${flags.processes} processes × ${flags.rounds} rounds × ${slices}, pools of ${POOL_SIZE}, ${where}`);
  const labs = new Labs(pinned);
  try {
    if (measured.has('rate')) await rates(names, labs);
    if (measured.has('delay')) await delays(names, labs);
    if (measured.has('memory')) await memory(names, labs);
    if (measured.has('dns')) await dns(names[0]!, labs);
  } finally {
    await labs.end();
  }
}

async function rates(names: readonly DriverName[], labs: Labs): Promise<void> {
  const columns = ['eip-pool, per second', 'stock, per second', ...intervals('median ratio', 'stock to itself')];
  heading(['', ...columns, ...intervals('CPU per operation, median ratio')]);
  for (const name of names) {
    const { databases, work } = await loadDriver(name);
    const { server } = await labs.get(databases);
    for (const { what } of work(server, POOL_SIZE)) {
      for (const callers of atATime) {
        const asked = { driver: name, what, server, atATime: callers, rounds };
        const results = await inProcesses((process) => process.call('rates', asked));
        const [ours, theirs] = ([0, 1] as const).map((side) => median(results.flatMap(({ rates }) => rates[side])));
        row([
          `${what}, ${callers} at a time`,
          ...[ours!, theirs!].map((rate) => Math.round(rate).toLocaleString('en')),
          ...spread(results.map(({ ratios }) => ratios)),
          ...spread(results.map(({ noise }) => noise)),
          ...spread(results.map(({ cpuRatios }) => cpuRatios)),
        ]);
      }
    }
  }
}

/** Of one long slice a round: p99 of a short one is its slowest turn. */
const DELAY_SLICE_MILLIS = 250;

async function delays(names: readonly DriverName[], labs: Labs): Promise<void> {
  const columns = ['eip-pool, ms', 'stock, ms', ...intervals('median ratio', 'stock to itself')];
  heading(['event loop delay, p99', ...columns]);
  for (const name of names) {
    const { databases, work } = await loadDriver(name);
    const callers = Math.max(...atATime);
    const { server } = await labs.get(databases);
    for (const { what, waits } of work(server, POOL_SIZE)) {
      if (!waits) continue;
      const long: Rounds = { ...rounds, slices: 1, sliceMillis: DELAY_SLICE_MILLIS };
      const asked: Asked = { driver: name, what, server, atATime: callers, rounds: long };
      const results = await inProcesses((process) => process.call('delays', asked));
      const [ours, theirs] = ([0, 1] as const).map((side) => median(results.flatMap(({ p99 }) => p99[side])));
      row([
        `${what}, ${callers} at a time`,
        ...[ours!, theirs!].map((millis) => millis.toFixed(2)),
        ...spread(results.map(({ ratios }) => ratios)),
        ...spread(results.map(({ noise }) => noise)),
      ]);
    }
  }
}

/** One process after another: what is compiled in one, and how, says nothing of the next. */
async function inProcesses<T>(work: (process: Child<RateMethods>) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < Number(flags.processes); i++) results.push(await inProcess('rate-process.js', work));
  return results;
}

async function memory(names: readonly DriverName[], labs: Labs): Promise<void> {
  heading(['memory of an idle connection', 'eip-pool, KiB', 'stock, KiB', 'difference, KiB']);
  for (const name of names) {
    const { server } = await labs.get((await loadDriver(name)).databases);
    const ours = await memoryPerConnection(name, 'ours', server);
    const stock = await memoryPerConnection(name, 'stock', server);
    row([name, ...[ours, stock, ours - stock].map((bytes) => (bytes / 1_024).toFixed(1))]);
  }
}

async function dns(name: DriverName, labs: Labs): Promise<void> {
  const millis = 1_000 * Number(flags['dns-seconds']);
  heading([`DNS questions, counted for ${flags['dns-seconds']} s at the server`, 'an hour']);
  const { server, process } = await labs.get((await loadDriver(name)).databases);
  for (const pools of [1, POOLS_ON_ONE_NAME]) {
    const anHour = await dnsPerHour(name, server, process, pools, millis);
    row([`${pools === 1 ? 'one idle pool' : `${pools} idle pools on one name`}, one process`, anHour.toFixed(0)]);
  }
}

function heading(columns: readonly string[]): void {
  console.log();
  row(columns);
  row(columns.map(() => '---'));
}

function row(columns: readonly string[]): void {
  console.log(`| ${columns.join(' | ')} |`);
}

function intervals(...names: readonly string[]): string[] {
  return names.flatMap((name) => [name, 'its 95 % interval']);
}

function spread(processes: readonly (readonly number[])[]): string[] {
  const [low, high] = interval(processes);
  return [median(processes.flat()).toFixed(3), `${low.toFixed(3)}–${high.toFixed(3)}`];
}
