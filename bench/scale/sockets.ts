import { fork } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { follow } from '../../src/index.js';
import { startLab } from '../../src/lab/index.js';

/**
 * What one move costs: N raw sockets on one endpoint, the echo servers in a process of their own.
 * Usage: sockets.js [N] [runs]
 */
interface Ready {
  readonly name: string;
  readonly port: number;
  readonly servers: readonly string[];
}

interface Result {
  readonly closedMillis: number;
  readonly backMillis: number;
  readonly blockedMillis: number;
}

if (process.argv[2] === '--lab') await serve();
else await measure(Number(process.argv[2] ?? 1_000), Number(process.argv[3] ?? 5));

async function serve(): Promise<void> {
  const lab = await startLab();
  process.on('message', () => void lab.move(lab.hosts[lab.current === lab.hosts[0] ? 1 : 0]!));
  process.once('disconnect', () => void lab.close());
  process.send?.({ name: lab.name, port: lab.port, servers: lab.servers } satisfies Ready);
}

async function measure(count: number, runs: number): Promise<void> {
  const lab = fork(fileURLToPath(import.meta.url), ['--lab']);
  const [ready] = (await once(lab, 'message')) as [Ready];
  const results: Result[] = [];
  for (let run = 0; run < runs; run++) results.push(await oneMove(count, ready, () => lab.send('move')));
  lab.disconnect();
  const row = (name: keyof Result): string => {
    const values = results.map((result) => result[name]).toSorted((a, b) => a - b);
    return `median ${values[Math.floor(values.length / 2)]!.toFixed(0)} ms, worst ${values.at(-1)!.toFixed(0)} ms`;
  };
  console.log(`${count} sockets, ${runs} moves`);
  console.log(`all closed after the answer   ${row('closedMillis')}`);
  console.log(`all back, through the gate    ${row('backMillis')}`);
  console.log(`event loop blocked at most    ${row('blockedMillis')}`);
}

async function oneMove(count: number, { name, port, servers }: Ready, move: () => void): Promise<Result> {
  const endpoint = follow(name, { servers });
  let answeredAt = 0;
  let [closedAt, backAt, blockedMillis] = [0, 0, 0];
  subscribe('eip-pool:answer', (message) => {
    if (answeredAt === 0 && (message as { verdict: string }).verdict === 'adopted') answeredAt = performance.now();
  });
  let [closed, back] = [0, 0];
  const connect = async (): Promise<void> => {
    const socket = endpoint.connect(port);
    socket.once('close', () => {
      if (endpoint.state === 'closed') return;
      if (++closed === count) closedAt = performance.now();
      void connect().then(() => {
        if (++back === count) backAt = performance.now();
      });
    });
    await once(socket, 'connect');
  };
  await Promise.all(Array.from({ length: count }, connect));
  answeredAt = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    if (answeredAt > 0) blockedMillis = Math.max(blockedMillis, now - last - 1);
    last = now;
  }, 1);
  move();
  while (backAt === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(watch);
  endpoint.close();
  return { closedMillis: closedAt - answeredAt, backMillis: backAt - answeredAt, blockedMillis };
}
