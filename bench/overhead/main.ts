import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Child } from '../../src/cli/failover/rpc.js';
import { Pool } from '../../src/pg/index.js';
import { median } from '../../src/cli/bench/statistics.js';
import { compare, type Comparison, interval, type Rounds, type Side } from './compare.js';
import type { LabMethods } from './lab-process.js';
import { NoopClient } from './noop-client.js';

const HELP = `Usage: npm run bench:overhead -- [options]

What the pool costs while nothing fails: this library's against pg.Pool, in one process, in alternating slices.

  --rounds N        at least 20 (31)
  --slice-millis N  (250)
  --at-a-time N,N   callers at a time (1,10,100)
`;

const POOL_SIZE = 10;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '31' },
    'slice-millis': { type: 'string', default: '250' },
    'at-a-time': { type: 'string', default: '1,10,100' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (flags.help === true) process.stdout.write(HELP);
else await bench();

async function bench(): Promise<void> {
  const rounds = { rounds: Number(flags.rounds), sliceMillis: Number(flags['slice-millis']) };
  const lab = new Child<LabMethods>(fileURLToPath(new URL('lab-process.js', import.meta.url)));
  try {
    const { name, address, port, dnsServers, connection } = await lab.call('start');
    heading();
    const common = { port, ...connection, max: POOL_SIZE };
    const following = { ...common, host: name, follow: { servers: dnsServers } };
    const direct = { ...common, host: address };
    const noop = { Client: NoopClient as unknown as typeof pg.Client };
    await section('query', query, [() => new Pool(following), () => new pg.Pool(direct)], rounds);
    const idle: Sides = [() => new Pool({ ...following, ...noop }), () => new pg.Pool({ ...direct, ...noop })];
    await section('connect + release', lease, idle, rounds);
  } finally {
    await lab.end();
  }
}

type Sides = [() => pg.Pool, () => pg.Pool];
type Work = (pool: pg.Pool) => Promise<unknown>;

async function section(what: string, work: Work, [ours, theirs]: Sides, rounds: Rounds): Promise<void> {
  const sides: [Side, Side] = [side(ours, work), side(theirs, work)];
  for (const atATime of flags['at-a-time'].split(',').map(Number))
    show(await compare(`${what}, ${atATime} at a time`, sides, atATime, rounds));
}

function side(make: () => pg.Pool, work: Work): Side {
  return {
    open() {
      const pool = make();
      // The lab's end is no news here.
      pool.on('error', () => {});
      return { run: () => work(pool), close: () => pool.end() };
    },
  };
}

async function query(pool: pg.Pool): Promise<unknown> {
  return pool.query('select $1::int', [1]);
}

async function lease(pool: pg.Pool): Promise<void> {
  (await pool.connect()).release();
}

function heading(): void {
  const [cpu] = os.cpus();
  console.log(`${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`);
  console.log(`${flags.rounds} rounds, slices of ${flags['slice-millis']} ms, pools of ${POOL_SIZE}\n`);
  console.log(
    `| | eip-pool, per second | pg.Pool, per second | median ratio | its 95 % interval | pg.Pool to itself | its 95 % interval | CPU per operation, median ratio | its 95 % interval |\n|${'---|'.repeat(9)}`,
  );
}

function show({ what, rates, ratios, noise, cpuRatios }: Comparison): void {
  const [ours, theirs] = rates.map((rate) => Math.round(rate).toLocaleString('en'));
  console.log(`| ${[what, ours, theirs, ...spread(ratios), ...spread(noise), ...spread(cpuRatios)].join(' | ')} |`);
}

function spread(values: readonly number[]): [string, string] {
  const [low, high] = interval(values);
  return [median(values).toFixed(3), `${low.toFixed(3)}–${high.toFixed(3)}`];
}
