import type { Progress } from '../failover/client-process.js';
import type { Change } from '../failover/operation.js';

/** What a client did in one tenth of a second. */
type Cell = 'idle' | 'before' | 'new' | 'old' | 'error' | 'waiting';

interface Mark {
  readonly char: string;
  /** An SGR parameter. */
  readonly colour: string;
}

const MARKS: Readonly<Record<Cell, Mark>> = {
  idle: { char: ' ', colour: '0' },
  before: { char: '-', colour: '2' },
  new: { char: '#', colour: '32' },
  old: { char: '!', colour: '33' },
  error: { char: 'x', colour: '31' },
  waiting: { char: '.', colour: '2' },
};

export const LEGEND: string = `Each mark is 0.1 s:  - before  | the old server fails  > the name moves
                     # on the new server  ! on the old one  x errors  . nothing answers`;

/**
 * The marks of one client's tenths of a second. `change` is null until the name has moved; then the moments of the
 * fault and of the move stand between the tenths.
 */
export function timeline(ticks: readonly Progress[], change: Change | null, coloured: boolean): string {
  let [text, from] = ['', -Infinity];
  for (const tick of ticks) {
    const within = (moment: number): boolean => moment > from && moment <= tick.at;
    if (change !== null && within(change.begunAt) && !within(change.at)) text += '|';
    if (change !== null && within(change.at)) text += '>';
    const { char, colour } = MARKS[cellOf(tick, change)];
    text += coloured ? `\u001b[${colour}m${char}\u001b[0m` : char;
    from = tick.at;
  }
  return text;
}

function cellOf({ at, onServer, errors, waiting }: Progress, change: Change | null): Cell {
  if (errors > 0) return 'error';
  const done = (server: number): boolean => (onServer[server] ?? 0) > 0;
  if (change !== null && at >= change.at) {
    if (done(change.oldServer)) return 'old';
    if (done(change.newServer)) return 'new';
  } else if (Object.keys(onServer).length > 0) {
    return 'before';
  }
  return waiting > 0 ? 'waiting' : 'idle';
}
