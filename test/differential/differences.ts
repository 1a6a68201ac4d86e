import type { Course } from './course.js';

/** A difference that is meant, and why. */
export interface Allowance {
  readonly reason: string;
  /** Both courses without it; undefined if it is not there. */
  readonly without: (stock: Entries, ours: Entries) => readonly [Entries, Entries] | undefined;
}

export type Entries = readonly string[];

export type Comparison =
  | { readonly kind: 'same' }
  /** Different, and meant to be. */
  | { readonly kind: 'explained'; readonly reasons: readonly string[] }
  | { readonly kind: 'different' };

/** Pure. */
export function compare(stock: Course, ours: Course, allowances: readonly Allowance[]): Comparison {
  if (isSame(stock.entries, ours.entries)) return { kind: 'same' };
  const reasons: string[] = [];
  let [theirs, own]: readonly [Entries, Entries] = [stock.entries, ours.entries];
  for (const { reason, without } of allowances) {
    const rest = without(theirs, own);
    if (rest === undefined) continue;
    reasons.push(reason);
    [theirs, own] = rest;
  }
  return isSame(theirs, own) ? { kind: 'explained', reasons } : { kind: 'different' };
}

export function isSame(one: Entries, other: Entries): boolean {
  return one.length === other.length && one.every((entry, i) => entry === other[i]);
}

/**
 * Both courses as they were up to an entry, and from there on only what the calls came to, and what the server ran: neither
 * when, nor on which connection, nor what the counters said.
 */
export function onlyAnswersAfter(entries: Entries, isCause: (entry: string) => boolean): Entries {
  const first = entries.findIndex(isCause);
  return first < 0 ? entries : onlyAnswersFrom(entries, first);
}

/** In mysql2's words: which of the two a caller meets is a matter of whether it had a connection when the pool ended. */
export const CLOSED: RegExp = /Pool is closed\.|Can't add new command when .*/;

/** What is given back twice may be another caller's by then, whose statements it ends. */
const OF_LEASES = /^\d+ (release threw|query on the client) /;

function isGivenBackTwice(entries: Entries): boolean {
  return entries.some((entry) => entry.includes('already been released to the pool'));
}

/** As {@link onlyAnswersAfter}, from the first of them on. */
export function onlyAnswersFrom(entries: Entries, first: number): Entries {
  const isTwiceGivenBack = isGivenBackTwice(entries);
  const answers = entries
    .slice(first)
    .filter((entry) => !isTwiceGivenBack || !OF_LEASES.test(entry))
    .filter((entry) => /^\d| was run \d+ times/.test(entry))
    .map((entry) => entry.replace(/ {2}\[.*\]$/, '').replaceAll(/(client|connection) \d+/g, '$1'))
    // How often its session has been asked is a matter of which one it was.
    .map((entry) => entry.replace(/\{"n":"?\d+"?\}/, '{"n":…}'));
  return [...entries.slice(0, first), ...answers.toSorted()];
}

/**
 * A pool that comes to a server makes its first connections 1, 2 and 4 at a time; whoever waits for that is served by one
 * that is given back in the meantime, so that fewer are made.
 */
export function fewerMade(isMade: (entry: string) => boolean): Allowance {
  const made = (entries: Entries): number => entries.filter(isMade).length;
  return {
    reason: 'a caller whose connection cannot be dialled yet takes one that is given back',
    without: (stock, ours) => {
      if (made(ours) >= made(stock)) return undefined;
      const parting = stock.findIndex((entry, i) => entry !== ours[i]);
      const answers = (entries: Entries): Entries =>
        // One for whom a connection is being made as the pool ends gets none.
        onlyAnswersFrom(entries, parting).map((entry) =>
          entry.replace(CLOSED, 'closed').replace(/failed: closed|got connection/, 'ended'),
        );
      return [answers(stock), answers(ours)];
    },
  };
}

/** Somebody may have been given what another one gave back, while connections were being made. */
interface GivenBack {
  readonly isGivenBack: (entry: string) => boolean;
  readonly isMade: (entry: string) => boolean;
}

/** Who has which connection then decides which ones are closed; what callers were answered is the same. */
export function longestWaitFirst({ isGivenBack, isMade }: GivenBack): Allowance {
  return {
    reason: 'what is given back goes to whoever waits longest, also where a connection is being made for that caller',
    without: (stock, ours) => {
      const parting = stock.findIndex((entry, i) => entry !== ours[i]);
      const from = stock.findIndex((entry, i) => isGivenBack(entry) && stock.slice(i).some(isMade));
      if (from < 0 || from > parting) return undefined;
      return [onlyAnswersFrom(stock, from), onlyAnswersFrom(ours, from)];
    },
  };
}

const TRANSACTION = /^(\d+ transaction .*?)(?: {2}\[.*\])?$/;

/** What is by hand on the other side; what else was due in that moment may come before it. */
export const transactionsLater: Allowance = {
  reason: 'pool.transaction, which no driver has, tells its end some turns of promises after what is done by hand',
  without: (stock, ours) => {
    const parted = (entries: Entries): Entries => [
      ...entries.filter((entry) => !TRANSACTION.test(entry)),
      ...entries.flatMap((entry) => TRANSACTION.exec(entry)?.[1]?.replace(CLOSED, 'closed') ?? []).toSorted(),
    ];
    const rest = [parted(stock), parted(ours)] as const;
    return isSame(...rest) ? rest : undefined;
  },
};

/** The last one: somebody else gave its lease back, which is no matter of what it came to. */
const FAILED_BY_HAND = /^(\d+) transaction failed: (?:Client was closed|Query read timeout|Release called on client)/;

function leftTransactions(ours: Entries): string[] {
  return ours.flatMap((entry) => /^(\d+) transaction failed: TRANSACTION_LEFT /.exec(entry)?.[1] ?? []);
}

/** Answers alone, from where the courses part, and none of these transactions'; undefined where ours only goes on. */
function withoutTransactions(
  numbers: readonly string[],
  stock: Entries,
  ours: Entries,
): readonly [Entries, Entries] | undefined {
  const parting = stock.findIndex((entry, i) => entry !== ours[i]);
  if (parting < 0) return undefined;
  const rest = (entries: Entries): Entries =>
    onlyAnswersFrom(entries, parting).filter(
      (entry) => !numbers.some((n) => entry.startsWith(`${n} transaction `) || entry.startsWith(`insert ${n} `)),
    );
  return [rest(stock), rest(ours)];
}

export const transactionBegunAnew: Allowance = {
  reason:
    'a transaction whose BEGIN finds its connection closed is begun on another one; where it times out, it is closed',
  without: (stock, ours) => {
    const failed = stock.flatMap((entry) => FAILED_BY_HAND.exec(entry)?.[1] ?? []);
    if (failed.length === 0) return undefined;
    // One whose lease was given back by another caller may meet the statements of whoever has it then, and refuses.
    const rest = withoutTransactions([...failed, ...leftTransactions(ours)], stock, ours);
    if (rest === undefined) return undefined;
    // By hand, ROLLBACK waits behind what timed out, and then so does the end of the pool.
    const isNoEnd = (entry: string): boolean => !/^\d+ end /.test(entry);
    return [rest[0].filter(isNoEnd), rest[1].filter(isNoEnd)];
  },
};

export const transactionsApart: Allowance = {
  reason:
    "a transaction whose lease somebody else has given back refuses another one's statements; by hand, two are one",
  without: (stock, ours) => {
    const left = leftTransactions(ours);
    if (left.length === 0 || !isGivenBackTwice(stock)) return undefined;
    return withoutTransactions(left, stock, ours);
  },
};

/** Both courses, with a mark at each line in which they part. */
export function sideBySide(stock: Entries, ours: Entries): string {
  const lines: string[] = [];
  let same = true;
  for (let i = 0; i < Math.max(stock.length, ours.length); i++) {
    if (stock[i] === ours[i]) lines.push(`    ${stock[i]}`);
    else {
      if (same) lines.push('  from here on they differ:');
      same = false;
      lines.push(`  stock ${stock[i] ?? '(nothing)'}`, `  ours  ${ours[i] ?? '(nothing)'}`);
    }
  }
  return lines.join('\n');
}
