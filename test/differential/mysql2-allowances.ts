import {
  type Allowance,
  CLOSED,
  fewerMade,
  longestWaitFirst,
  onlyAnswersAfter,
  onlyAnswersFrom,
  transactionsLater,
} from './differences.js';

const isTimeOut = (entry: string): boolean => entry.includes('PROTOCOL_SEQUENCE_TIMEOUT');

/** Of a statement without a callback, after its time-out has been told. */
const LATE_ROW = /^\d+ statement emitted \{"late":1\}/;

/** At the end of the pool there is a connection for a caller, or there is none any more. */
const endedEither = (entry: string): string =>
  entry.replace(CLOSED, 'closed').replace(/(?<= get )(failed: closed|got connection)$/, 'ended');

const timedOut: Allowance = {
  reason: 'a connection whose statement timed out is closed; mysql2 hands it out while the statement still runs on it',
  without: (stock, ours) => {
    if (!stock.some(isTimeOut) || !ours.some(isTimeOut)) return undefined;
    const isShort = [...stock, ...ours].some((entry) => /No connections available\.|Queue limit reached\./.test(entry));
    const answers = (entries: readonly string[]): readonly string[] =>
      onlyAnswersAfter(entries, isTimeOut)
        .filter((entry) => !LATE_ROW.test(entry) && !/^\d+ query on the connection /.test(entry))
        .filter((entry) => !isShort || !entry.includes(' was run '))
        .map(endedEither)
        // So is there one when a caller comes who does not wait.
        .map((entry) => (isShort ? entry.replace(/(?<=^\d+ (get|statement|transaction) ).*$/, 'ended') : entry));
    return [answers(stock), answers(ours)];
  },
};

/** A failure without the counters, whichever of the two was closed. */
const failureIn = (entry: string): string | undefined =>
  /^\d.* failed: .*(?= {2}\[)/.exec(entry)?.[0].replace(CLOSED, 'closed');

const toldOnce: Allowance = {
  reason: 'a call is told its failure once; mysql2 tells some of them twice',
  without: (stock, ours) => {
    const times = (entries: readonly string[], failure: string): number =>
      entries.filter((entry) => failureIn(entry) === failure).length;
    const once = stock.filter((entry, i) => {
      const failure = failureIn(entry);
      const isFirst = stock.findIndex((other) => failureIn(other) === failure) === i;
      return failure === undefined || isFirst || times(ours, failure) !== 1;
    });
    return once.length === stock.length ? undefined : [once, ours];
  },
};

const enqueuedOnce: Allowance = {
  reason:
    'a caller enters the queue once; mysql2 has them enter again, behind who came since, where a connection is lost',
  without: (stock, ours) => {
    const others = (entries: readonly string[]): readonly string[] =>
      entries.filter((entry) => !entry.startsWith('event enqueue'));
    const [theirs, own] = [stock.length - others(stock).length, ours.length - others(ours).length];
    if (theirs <= own) return undefined;
    const [restOfTheirs, restOfOwn] = [others(stock), others(ours)];
    const parting = restOfTheirs.findIndex((entry, i) => entry !== restOfOwn[i]);
    if (parting < 0) return [restOfTheirs, restOfOwn];
    const isLimited = restOfTheirs.some((entry) => entry.includes('Queue limit reached.'));
    // Who enters again may find the queue full, and who comes later does not then.
    const answers = (entries: readonly string[]): readonly string[] =>
      onlyAnswersFrom(entries, parting)
        .map(endedEither)
        .map((entry) => (isLimited ? entry.replace(/^(\d+ \w+) .*$/, '$1') : entry));
    return [answers(restOfTheirs), answers(restOfOwn)];
  },
};

const relieved = fewerMade((entry) => entry.startsWith('event connection '));

/** mysql2 hands what is given back to one who waits without an event. */
const longestWait = longestWaitFirst({
  isGivenBack: (entry) => entry.startsWith('event enqueue') || entry.startsWith('event release '),
  isMade: (entry) => entry.startsWith('event connection '),
});

export const MYSQL2_ALLOWANCES: readonly Allowance[] = [
  toldOnce,
  enqueuedOnce,
  timedOut,
  relieved,
  longestWait,
  transactionsLater,
];
