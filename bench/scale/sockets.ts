import { fork } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../../src/cli/bench/statistics.js';
import { follow } from '../../src/index.js';
import { startLab } from '../../src/lab/index.js';
import { openFilesFor } from './open-files.js';

const HELP = `Usage: npm run bench:sockets -- [options]

What one move costs: raw sockets on one endpoint, the echo servers in a process of their own. Counted from when the
endpoint has the new answer.

  --sockets N,N  (10,100,1000,5000)
  --moves N      of each (5)
`;

interface Ready {
  readonly name: string;
  readonly port: number;
  readonly servers: readonly string[];
}

interface Result {
  readonly closedMillis: number;
  readonly backMillis: number;
  readonly blockedMillis: number;
  /** CPU time of this process, until all are back. */
  readonly cpuMillis: number;
}

const COLUMNS: Readonly<Record<keyof Result, string>> = {
  closedMillis: 'all closed, ms',
  backMillis: 'all back through the gate, ms',
  blockedMillis: 'event loop blocked at most, ms',
  cpuMillis: 'CPU, ms',
};
const WATCH_MILLIS = 1;

const { values: flags } = parseArgs({
  options: {
    sockets: { type: 'string', default: '10,100,1000,5000' },
    moves: { type: 'string', default: '5' },
    lab: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

async function serve(): Promise<void> {
  const lab = await startLab();
  process.on('message', () => void lab.move(lab.hosts[lab.current === lab.hosts[0] ? 1 : 0]!));
  process.once('disconnect', () => void lab.close());
  process.send?.({ name: lab.name, port: lab.port, servers: lab.servers } satisfies Ready);
}

async function bench(counts: readonly number[], moves: number): Promise<void> {
  // While a move lasts, the lab has each socket twice.
  openFilesFor(2 * Math.max(...counts));
  const [cpu] = os.cpus();
  console.log(`${os.cpus().length} × ${cpu?.model}, Linux ${os.release()}, Node ${process.version}`);
  console.log(`${moves} moves of each, median (worst)\n`);
  const head = ['sockets', ...Object.values(COLUMNS)];
  for (const line of [head, head.map(() => '---')]) console.log(`| ${line.join(' | ')} |`);
  const lab = fork(fileURLToPath(import.meta.url), ['--lab']);
  const [ready] = (await once(lab, 'message')) as [Ready];
  for (const count of counts) {
    const results: Result[] = [];
    for (let move = 0; move < moves; move++) results.push(await oneMove(count, ready, () => lab.send('move')));
    const cells = (Object.keys(COLUMNS) as (keyof Result)[]).map((name) => pair(results.map((result) => result[name])));
    console.log(`| ${[count.toLocaleString('en'), ...cells].join(' | ')} |`);
  }
  lab.disconnect();
}

function pair(values: readonly number[]): string {
  return `${median(values).toFixed(1)} (${Math.max(...values).toFixed(1)})`;
}

async function oneMove(count: number, { name, port, servers }: Ready, move: () => void): Promise<Result> {
  const endpoint = follow(name, { servers });
  let [closed, back, closedAt] = [0, 0, 0];
  let whenBack: () => void = () => {};
  const connect = async (): Promise<void> => {
    const socket = endpoint.connect(port);
    socket.once('close', () => {
      if (endpoint.state === 'closed') return;
      if (++closed === count) closedAt = performance.now();
      void connect().then(() => ++back === count && whenBack());
    });
    await once(socket, 'connect');
  };
  await Promise.all(Array.from({ length: count }, connect));
  const loop = new LoopWatch();
  const adopted = new Promise<{ readonly at: number; readonly cpu: NodeJS.CpuUsage }>((resolve) => {
    const listener = (message: unknown): void => {
      if ((message as { verdict: string }).verdict !== 'adopted') return;
      unsubscribe('eip-pool:answer', listener);
      loop.begin();
      resolve({ at: performance.now(), cpu: process.cpuUsage() });
    };
    subscribe('eip-pool:answer', listener);
  });
  const allBack = new Promise<number>((resolve) => (whenBack = () => resolve(performance.now())));
  move();
  const [{ at, cpu }, backAt] = await Promise.all([adopted, allBack]);
  const { user, system } = process.cpuUsage(cpu);
  const blockedMillis = loop.end();
  endpoint.close();
  return { closedMillis: closedAt - at, backMillis: backAt - at, blockedMillis, cpuMillis: (user + system) / 1_000 };
}

/** The longest time in which the event loop did not come to a timer. */
class LoopWatch {
  #longest = 0;
  #last = Infinity;
  readonly #timer: NodeJS.Timeout = setInterval(() => this.#tick(), WATCH_MILLIS);

  begin(): void {
    this.#last = performance.now();
  }

  end(): number {
    this.#tick();
    clearInterval(this.#timer);
    return this.#longest;
  }

  #tick(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last - WATCH_MILLIS);
    if (this.#last !== Infinity) this.#last = now;
  }
}

if (flags.help === true) process.stdout.write(HELP);
else if (flags.lab === true) await serve();
else await bench(flags.sockets.split(',').map(Number), Number(flags.moves));
