import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { openFilesFor } from './open-files.js';
import { LOGIN_MILLIS, type Mode, MODES } from './herd/member.js';
import { type Panel, plot } from './herd/plot.js';
import { type Result, stampede } from './herd/stampede.js';

const HELP = `Usage: npm run bench:herd -- [options]

Many processes lose their server at the same moment and come to the next one, which logs in so many a second: with this
library's gate, and without one. Each simulated process has an endpoint, a gate and connections of its own; a few real
processes hold them. A log-in is a byte there and a byte back, in the order of arrival.

  --processes N,N     (10,30,100,300,1000)
  --connections N     of each process (10)
  --per-second N      log-ins that the new server does (1000)
  --modes A;B         ${MODES.join('; ')} (all); the last gives a log-in up after ${LOGIN_MILLIS} ms and dials again
  --within-seconds N  how long it is watched (30)
  --svg FILE          the plot (herd.svg)
`;

const { values: flags } = parseArgs({
  options: {
    processes: { type: 'string', default: '10,30,100,300,1000' },
    connections: { type: 'string', default: '10' },
    'per-second': { type: 'string', default: '1000' },
    modes: { type: 'string', default: MODES.join(';') },
    'within-seconds': { type: 'string', default: '30' },
    svg: { type: 'string', default: 'herd.svg' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (flags.help === true) process.stdout.write(HELP);
else await bench();

async function bench(): Promise<void> {
  const processes = flags.processes.split(',').map(Number);
  const [connections, perSecond] = [Number(flags.connections), Number(flags['per-second'])];
  const withinMillis = 1_000 * Number(flags['within-seconds']);
  openFilesFor(Math.max(...processes) * connections);
  const [cpu] = os.cpus();
  console.log(`${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`);
  console.log(
    `${connections} connections a process, ${perSecond} log-ins a second, watched ${flags['within-seconds']} s\n`,
  );
  const head = ['processes', 'gate', 'waiting log-ins at most', 'half have one, s', 'each has one, s', 'all are back, s', 'log-ins for nobody']; // prettier-ignore
  for (const line of [head, head.map(() => '---')]) console.log(`| ${line.join(' | ')} |`);
  const results: Result[] = [];
  for (const count of processes) {
    for (const mode of flags.modes.split(';').map((text) => text.trim() as Mode)) {
      const result = await stampede({ mode, processes: count, connections, perSecond, withinMillis });
      results.push(result);
      show(result);
    }
  }
  writeFileSync(flags.svg, plot(panels(results)));
  console.log(`\n${flags.svg}`);
}

function show({ processes, mode, peak, wasted, halfServed, allServed, allBack }: Result): void {
  const seconds = (millis: number): string => (Number.isFinite(millis) ? (millis / 1_000).toFixed(2) : 'never');
  console.log(`| ${[processes, mode, peak, ...[halfServed, allServed, allBack].map(seconds), wasted].join(' | ')} |`);
}

function panels(results: readonly Result[]): Panel[] {
  const panel = (title: string, of: (result: Result) => number): Panel => ({
    title,
    xLabel: 'processes',
    series: [...new Set(results.map(({ mode }) => mode))].map((mode) => ({
      label: mode === 'gate' ? 'gate' : mode.replace('none', 'no gate'),
      points: results.filter((result) => result.mode === mode).map((result) => [result.processes, of(result)] as const),
    })),
  });
  return [
    panel('log-ins waiting at the server, at most', ({ peak }) => peak),
    panel('until each process has a connection, s', ({ allServed }) => allServed / 1_000),
    panel('until all connections are back, s', ({ allBack }) => allBack / 1_000),
  ];
}
