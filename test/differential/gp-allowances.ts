import { type Allowance, type Entries, onlyAnswersAfter } from './differences.js';

/** The first resource that is acquired after it was destroyed. */
function acquiredDestroyed(entries: Entries): string | undefined {
  const destroyed = new Set<string>();
  for (const entry of entries) {
    const [, name] = /^destroy (client \d+)/.exec(entry) ?? [];
    if (name !== undefined) destroyed.add(name);
    const [, got] = /^\d+ acquire got (client \d+)/.exec(entry) ?? [];
    if (got !== undefined && destroyed.has(got)) return got;
  }
  return undefined;
}

/** The first that is destroyed more often than on the other side: somebody had it meanwhile. */
function destroyedMoreOften(entries: Entries, others: Entries): string | undefined {
  const times = (all: Entries, name: string): number =>
    all.filter((entry) => entry.startsWith(`destroy ${name} `)).length;
  return entries
    .map((entry) => /^destroy (client \d+)/.exec(entry)?.[1])
    .find((name) => name !== undefined && times(others, name) > 0 && times(entries, name) > times(others, name));
}

const clearedInTheMaking: Allowance = {
  reason: 'what clear() has destroyed is not handed out; generic-pool hands out what was being made when it was called',
  without: (stock, ours) => {
    const names = [acquiredDestroyed(stock), destroyedMoreOften(stock, ours)].filter((name) => name !== undefined);
    if (names.length === 0 || acquiredDestroyed(ours) !== undefined) return undefined;
    const isCause = (entry: string): boolean => names.some((name) => entry.startsWith(`destroy ${name} `));
    const answers = (entries: Entries): Entries =>
      onlyAnswersAfter(entries, isCause)
        // A place in the pool that the destroyed one does not take is another caller's, or nobody's.
        .map((entry) => entry.replace(/(?<= (acquire|use) )(got .*|\[.*|failed: .*)$/, 'was answered'))
        // Who holds what by then is another matter: so is what is done with it, and which of them a call gives back.
        .filter((entry) => !/^\d+ (query|release|destroy) /.test(entry));
    return [answers(stock), answers(ours)];
  },
};

export const GP_ALLOWANCES: readonly Allowance[] = [clearedInTheMaking];
