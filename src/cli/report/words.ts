import type { Recording } from '../bench/recording.js';
import type { ClientFacts, FaultFacts, Level, Spread } from './facts.js';

/** A duration with its unit, to three digits; `never` of what did not happen. */
export function time(millis: number): string {
  if (Number.isNaN(millis)) return '–';
  if (millis === Infinity) return 'never';
  return millis < 999.5 ? `${Math.round(millis)} ms` : `${Number((millis / 1_000).toPrecision(3))} s`;
}

/** A number in a column whose heading gives the unit: with a decimal only where it tells something. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (value === Infinity) return 'never';
  const digits = Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `median (worst)`; one of them where they are the same. */
export function pair({ median, worst }: Spread): string {
  const [middle, largest] = [figure(median), figure(worst)];
  return middle === largest ? middle : `${middle} (${largest})`;
}

/** The middle half of the runs. */
export function middleHalf({ low, high }: Spread): string {
  const [from, to] = [figure(low), figure(high)];
  return from === to ? from : `${from}–${to}`;
}

export function ratio(value: number): string {
  return Number.isFinite(value) ? `${figure(value)}×` : '–';
}

export function outcomes({ outcomes }: ClientFacts): string {
  return outcomes.length === 0 ? '–' : outcomes.map(([outcome, errors]) => `${figure(errors)} ${outcome}`).join(', ');
}

/** Shown beside every colour, so that none has to be told from another. */
export const MARKS: Readonly<Record<Level, string>> = { good: '●', slow: '▲', broken: '✕' };

export const LEVEL_TEXTS: Readonly<Record<Level, string>> = {
  good: 'back within 1 s of the bare limit, and no more errors than operations are due in 1 s (medians)',
  slow: 'later, or more errors than that',
  broken: 'in some run it never came back, operations hung, writes were lost or doubled, or it crashed',
};

/** What a user of this client notices, worst first; empty where all went well. Worst of the runs where it must not happen. */
export function damages(facts: ClientFacts): string[] {
  const { lost, doubled, crashes, hung, errors, onOld, firstSuccess, lastOnOld } = facts;
  const stays = firstSuccess.median === Infinity && onOld.median > 0;
  const some = (count: number, what: string): string[] => (count > 0 ? [`${figure(count)} ${what}`] : []);
  return [
    ...some(lost.worst, 'lost'),
    ...some(doubled.worst, 'doubled'),
    ...some(crashes.worst, crashes.worst === 1 ? 'crash' : 'crashes'),
    ...some(hung.worst, 'hung'),
    ...some(errors.median, errors.median === 1 ? 'error' : 'errors'),
    ...(stays ? ['stays on old'] : lastOnOld.median >= 10 ? [`on old ${time(lastOnOld.median)}`] : []),
  ];
}

/** All faults of one client together. */
export interface Overall {
  readonly client: string;
  readonly level: Level;
  /** The longest time down, in any run of any fault. */
  readonly down: number;
  /** In which fault. */
  readonly fault: string;
  readonly broken: number;
  readonly slow: number;
  readonly faults: number;
  /** By the number of the fault; null where it was not measured. */
  readonly cells: readonly (ClientFacts | null)[];
}

/** A row for each client, in the order in which the recording first names them. */
export function overall(faults: readonly FaultFacts[]): Overall[] {
  const names = new Set(faults.flatMap(({ clients }) => clients.map(({ client }) => client)));
  return [...names].map((client) => {
    const cells = faults.map(({ clients }) => clients.find((one) => one.client === client) ?? null);
    const count = (level: Level): number => cells.filter((cell) => cell?.level === level).length;
    const downs = cells.map((cell) => cell?.firstSuccess.worst ?? -Infinity);
    const down = Math.max(...downs);
    const [broken, slow] = [count('broken'), count('slow')];
    return {
      client,
      level: broken > 0 ? 'broken' : slow > 0 ? 'slow' : 'good',
      down,
      fault: faults[downs.indexOf(down)]?.fault ?? '',
      broken,
      slow,
      faults: broken + slow + count('good'),
      cells,
    };
  });
}

export function summaryOf({ broken, slow, faults }: Overall): string {
  if (broken > 0) return `breaks in ${broken} of ${faults}`;
  return slow > 0 ? `slow in ${slow} of ${faults}` : `good in ${faults} of ${faults}`;
}

export function date({ startedAt }: Recording): string {
  return new Date(startedAt).toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}

export function settingsOf({ settings, machine }: Recording): string[] {
  const { runs, ratePerSecond, watchedMillis } = settings;
  return [
    `${figure(runs)} ${runs === 1 ? 'run' : 'runs'} of each client and fault`,
    `${figure(ratePerSecond)} operations a second`,
    `watched for ${time(watchedMillis)} after the move`,
    `${machine.cpus} × ${machine.cpu}`,
    `Node ${machine.node}`,
  ];
}

/** What the figures mean, and how far to trust them. */
export const HOW: readonly (readonly [term: string, text: string])[] = [
  [
    't = 0',
    'The later of two moments: the DNS server gives the new answer; the fault is in force. Where the name moves late, the server has been down for that long already at t = 0: the longest gap tells how long nothing worked.',
  ],
  [
    'The load',
    'Open loop: operations are due at a set rate, whatever became of those before, and each counts from when it was due, not from when the client got round to it. An operation that waited through the failover and then succeeded is a success; its wait is in the longest wait and in the latency. Each client has a process of its own, and the servers are real.',
  ],
  [
    'The bare limit',
    'Resolve, connect, log in and one query, by a script that is told the moment of the move. No client that has to notice the move by itself can be faster.',
  ],
  [
    'Lost and doubled writes',
    'Both servers are read afterwards. Lost: acknowledged, and there on neither. Doubled: there more than once.',
  ],
  [
    'Outcomes of errors',
    'not-sent: nothing of it was written to a server. rejected: the server refused it as a whole. unknown: the connection was cut off; it may have been done. other: the server answered with an ordinary error.',
  ],
  [
    'Hung, never',
    'Only as long as it was watched: hung (in the timeline and the counts) is what had not ended when the watch ended; never is what had not happened by then. A client that has been well on the new server for a while may be watched no longer: its strip ends there.',
  ],
  [
    'What is noisy',
    'Runs of one row differ by what else the machine did, and by where in its interval a client was when the name moved. Read medians and the middle half (a quarter of the runs is below it, a quarter above), not decimals.',
  ],
];
