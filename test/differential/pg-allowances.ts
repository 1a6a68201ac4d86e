import {
  type Allowance,
  type Entries,
  fewerMade,
  longestWaitFirst,
  transactionBegunAnew,
  transactionsApart,
  transactionsLater,
} from './differences.js';

const ENDED = /^(\d+ [a-z ]+) failed: POOL_ENDED /;

/** In a pool that is ending, how many wait is not counted. */
function uncounted(entries: Entries): Entries {
  return entries.map((entry) => entry.replace(/\[(\d+ \d+) \d+ (\d+ ending.*)\]$/, '[$1 - $2]'));
}

const endedWaiters: Allowance = {
  reason: 'end() answers the callers who wait; pg-pool forgets them, or has them wait for their time-out',
  without: (stock, ours) => {
    const answered = [...new Set(ours.map((entry) => ENDED.exec(entry)?.[1]).filter((call) => call !== undefined))];
    const isTheirs = (entry: string): boolean =>
      answered.some(
        (call) =>
          entry.startsWith(`${call} was never answered`) ||
          entry.startsWith(`${call} failed: timeout exceeded when trying to connect`),
      );
    if (answered.length === 0 || stock.filter(isTheirs).length !== answered.length) return undefined;
    return [
      uncounted(stock.filter((entry) => !isTheirs(entry))),
      uncounted(ours.filter((entry) => !ENDED.test(entry))),
    ];
  },
};

const relieved = fewerMade((entry) => entry.startsWith('event connect '));

const longestWait = longestWaitFirst({
  isGivenBack: (entry) => entry.startsWith('event release '),
  isMade: (entry) => entry.startsWith('event connect '),
});

export const PG_ALLOWANCES: readonly Allowance[] = [
  endedWaiters,
  relieved,
  longestWait,
  transactionBegunAnew,
  transactionsApart,
  transactionsLater,
];
