import { systemClock } from '../../clock.js';
import { type Endpoint, follow } from '../../sockets/endpoint.js';
import type { MoveEvent } from '../../endpoint/endpoint-events.js';
import { ec2 } from '../../ec2/index.js';
import { type Command, OK, REGION_OPTION, SERVER_OPTION } from '../command.js';
import { duration } from '../output.js';
import { WatchedPort } from '../watched-port.js';

export const watch: Command = {
  name: 'watch',
  usage: 'NAME [--port PORT] [options]',
  summary: 'one line for each move of a name, with how long it took',
  examples: ['watch db.example.com', 'watch db.example.com --port 5432', 'watch db.example.com --aws --json'],
  options: {
    port: { value: 'PORT', help: 'hold a TCP connection there, and time the new one (not for MySQL: it counts them)' },
    interval: { value: 'MILLIS', help: 'how often DNS is asked while all is well; 1000, at least 100' },
    count: { value: 'N', help: 'end after so many moves' },
    aws: { help: 'ask the EC2 API too while something is wrong' },
    ...SERVER_OPTION,
    ...REGION_OPTION,
  },
  maxPositionals: 1,
  async run(args, { output, signal }) {
    const name = args.required(0, 'the name');
    const count = args.number('count', 1, 1_000_000) ?? Infinity;
    const port = args.port();
    const endpoint = follow(name, {
      allow: 'any',
      servers: args.all('server'),
      intervalMillis: args.number('interval', 100, 3_600_000),
      ...(args.has('aws') ? { resolver: ['dns', ec2({ region: args.get('region') })] } : {}),
    });
    const watched = port === undefined ? null : new WatchedPort(endpoint, port);
    try {
      const { addresses } = await endpoint.ready();
      output.data({ event: 'start', name, addresses });
      output.line(`${stamp()} ${name} is ${addresses.join(', ')}`);
      await untilMoved(endpoint, watched, count, signal, (move, took) => {
        output.data({ event: 'move', name, from: move.from, to: move.to, source: move.source, ...took });
        output.line(`${stamp()} ${move.from.join(', ')} → ${move.to.join(', ')} (${move.source}), ${describe(took)}`);
      });
    } finally {
      endpoint.close();
    }
    return OK;
  },
};

/** How long a move took. */
interface Took {
  /** From the last answer with the old address to the first with the new one: DNS changed somewhere between. */
  readonly noticedWithinMillis: number;
  /** From the move to the first connection; null without a port. */
  readonly connectedAfterMillis: number | null;
  /** How long no connection was open; null without a port. */
  readonly unreachableMillis: number | null;
}

function describe({ noticedWithinMillis, connectedAfterMillis, unreachableMillis }: Took): string {
  const noticed = `noticed within ${duration(noticedWithinMillis)}`;
  if (connectedAfterMillis === null || unreachableMillis === null) return noticed;
  return `${noticed}, connected ${duration(connectedAfterMillis)} later, unreachable for ${duration(unreachableMillis)}`;
}

async function untilMoved(
  endpoint: Endpoint,
  watched: WatchedPort | null,
  count: number,
  signal: AbortSignal,
  tell: (move: MoveEvent, took: Took) => void,
): Promise<void> {
  let confirmed = systemClock.now();
  let left = count;
  // Nothing of an endpoint keeps a process alive.
  const alive = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    endpoint.on('answer', ({ verdict }) => {
      if (verdict === 'confirmed') confirmed = systemClock.now();
    });
    endpoint.on('move', (move) => {
      const noticedWithinMillis = systemClock.now() - confirmed;
      const done = (
        reached: { readonly connectedAfterMillis: number; readonly unreachableMillis: number } | null,
      ): void => {
        tell(move, { noticedWithinMillis, ...(reached ?? { connectedAfterMillis: null, unreachableMillis: null }) });
        if (--left <= 0) resolve();
      };
      if (watched === null) done(null);
      else void watched.reached().then(done);
    });
  });
  clearInterval(alive);
}

function stamp(): string {
  return new Date().toISOString().slice(11, 23);
}
