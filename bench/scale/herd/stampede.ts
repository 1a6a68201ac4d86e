import { fileURLToPath } from 'node:url';
import { Child } from '../../../src/cli/failover/rpc.js';
import { quantile } from '../../../src/cli/bench/statistics.js';
import { loopbackAddresses } from '../../../src/lab/loopback.js';
import type { Back, CrowdMethods } from './crowd-process.js';
import type { Mode } from './member.js';
import type { ServerMethods } from './server-process.js';

export interface Stampede {
  readonly mode: Mode;
  readonly processes: number;
  readonly connections: number;
  readonly perSecond: number;
  /** How long it is watched. */
  readonly withinMillis: number;
}

/** Milliseconds since the move; Infinity for what did not happen while it was watched. */
export interface Result {
  readonly mode: Mode;
  readonly processes: number;
  /** The most log-ins that waited for the new server at one time. */
  readonly peak: number;
  readonly wasted: number;
  /** When half of the processes had a connection, and when each had one. */
  readonly halfServed: number;
  readonly allServed: number;
  /** When every connection was back. */
  readonly allBack: number;
}

/** Real processes; the herd is spread over them. */
const CROWDS = 4;
/** The old server's, so that filling it takes no time. */
const AT_ONCE = 1_000_000;

const addresses = loopbackAddresses();

/** The server's process ends, and its name points to the next one at the same moment. */
export async function stampede({ mode, processes, connections, perSecond, withinMillis }: Stampede): Promise<Result> {
  const [oldServer, newServer] = [childOf<ServerMethods>('server-process'), childOf<ServerMethods>('server-process')];
  const crowds = sizes(processes, CROWDS).map((size) => ({ size, child: childOf<CrowdMethods>('crowd-process') }));
  try {
    const [from, to] = [await addresses.next(0), await addresses.next(1)];
    const port = await oldServer.call('listen', { address: from, port: 0, perSecond: AT_ONCE });
    await newServer.call('listen', { address: to, port, perSecond });
    const open = ({ size, child }: (typeof crowds)[number]): Promise<void> =>
      child.call('open', { mode, processes: size, connections, address: from, port });
    await Promise.all(crowds.map(open));
    await Promise.all([...crowds.map(({ child }) => child.call('move', to)), oldServer.end()]);
    const backs = await Promise.all(crowds.map(({ child }) => child.call('back', { withinMillis })));
    return { mode, processes, ...judge(backs, processes), ...(await figuresOf(newServer)) };
  } finally {
    await Promise.all([oldServer, newServer, ...crowds.map(({ child }) => child)].map((child) => child.end()));
  }
}

async function figuresOf(server: Child<ServerMethods>): Promise<Pick<Result, 'peak' | 'wasted'>> {
  const { peak, wasted } = await server.call('figures');
  return { peak, wasted };
}

export function judge(backs: readonly Back[], processes: number): Pick<Result, 'halfServed' | 'allServed' | 'allBack'> {
  const padded = (values: number[]): number[] => [
    ...values,
    ...Array.from({ length: processes - values.length }, () => Infinity),
  ];
  const firsts = padded(backs.flatMap((back) => back.firsts));
  const lasts = padded(backs.flatMap((back) => back.lasts));
  return { halfServed: quantile(firsts, 0.5), allServed: Math.max(...firsts), allBack: Math.max(...lasts) };
}

/** As even as it can be; none is empty. */
export function sizes(count: number, parts: number): number[] {
  const used = Math.min(count, parts);
  return Array.from({ length: used }, (_, i) => Math.floor(count / used) + (i < count % used ? 1 : 0));
}

function childOf<M extends { readonly [K in keyof M]: (argument: never) => Promise<unknown> }>(file: string): Child<M> {
  return new Child<M>(fileURLToPath(new URL(`${file}.js`, import.meta.url)));
}
