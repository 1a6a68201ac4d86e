import { type Allowance, type Entries, fewerMade, onlyAnswersFrom, transactionsLater } from './differences.js';

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

/** At once, or in the turn after. */
const RELEASED_WITHIN = 2;

const longestWaitFirst: Allowance = {
  reason: 'what is given back goes to whoever waits longest, also where a connection is being made for that caller',
  without: (stock, ours) => {
    const parting = stock.findIndex((entry, i) => entry !== ours[i]);
    const isGivenBack = stock
      .slice(Math.max(0, parting - RELEASED_WITHIN), parting)
      .some((entry) => entry.startsWith('event release '));
    const isMaking = stock.slice(parting).some((entry) => entry.startsWith('event connect '));
    if (!isGivenBack || !isMaking) return undefined;
    return [onlyAnswersFrom(stock, parting), onlyAnswersFrom(ours, parting)];
  },
};

export const PG_ALLOWANCES: readonly Allowance[] = [endedWaiters, relieved, longestWaitFirst, transactionsLater];
