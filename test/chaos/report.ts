import { check, type Violation } from './checker.js';
import type { Kind, Operation } from './history.js';
import type { Failover } from './schedule.js';
import type { Trial } from './trial.js';

/** Of each rule. */
const SHOWN_VIOLATIONS = 5;
const SHOWN_ROWS = 10;

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly text: string;
}

/** What a trial came to, for people. */
export function judge(trial: Trial): Verdict {
  const { history, troubles, options, failovers, tookMillis } = trial;
  const violations = check(history);
  const hung = violations.filter(({ rule }) => rule === 'hung' || rule === 'forgotten').length;
  const seen = new Map<string, number>();
  const few = violations.filter(({ rule }) => {
    seen.set(rule, (seen.get(rule) ?? 0) + 1);
    return seen.get(rule)! <= SHOWN_VIOLATIONS;
  });
  const shown = few.map((one) => describe(one, history.adopted));
  const lines = [
    ...shown,
    ...(violations.length > shown.length ? [`… and ${violations.length - shown.length} more violations`] : []),
    ...troubles.map((trouble) => `TROUBLE ${trouble}`),
    `${options.driver}, ${options.mode} servers, seed ${options.seed}: ${failovers.length} failovers in ` +
      `${Math.round(tookMillis / 1_000)} s (${(tookMillis / 1_000 / failovers.length).toFixed(2)} s each)`,
    `  faults: ${counted(failovers.map(({ fault }) => fault))}`,
    `  of the application: ${counted(failovers.map(({ trouble }) => trouble?.local ?? 'nothing'))}; ` +
      `crowds: ${failovers.filter(({ crowd }) => crowd > 0).length}`,
    `  incidents: ${counted(failovers.map(({ incident }) => incident ?? 'none'))}`,
    `  names: ${counted(failovers.map(({ naming }) => naming))}; ${late(failovers)}`,
    ...kindsOf(history.operations).map((kind) => outcomes(kind, history.operations)),
    `  longest: ${longest(history.operations)} ms; rows: ${history.rows.length}`,
    ...(violations.length === 0 ? [] : [`  rules broken: ${counted(violations.map(({ rule }) => rule))}`]),
    `  violations: ${violations.length - hung}, hung or forgotten: ${hung}, troubles (crashes, leftovers): ${troubles.length}`,
  ];
  return { violations, text: lines.join('\n') };
}

/** What several trials at once came to. */
export function total(trials: readonly Trial[], verdicts: readonly Verdict[]): string {
  const [failovers, operations] = [
    trials.flatMap((one) => one.failovers),
    trials.flatMap((one) => one.history.operations),
  ];
  const rules = verdicts.flatMap(({ violations }) => violations.map(({ rule }) => rule));
  const took = Math.max(...trials.map(({ tookMillis }) => tookMillis));
  return (
    `in all: ${failovers.length} failovers in ${Math.round(took / 1_000)} s, ${operations.length} operations; ` +
    `rules broken: ${rules.length === 0 ? 'none' : counted(rules)}; ` +
    `troubles: ${trials.reduce((sum, { troubles }) => sum + troubles.length, 0)}`
  );
}

function describe({ rule, text, operation, rows }: Violation, adopted: Trial['history']['adopted']): string {
  const lines = [`VIOLATION ${rule}: ${text}`];
  if (operation !== null) {
    const { id, kind, startedAt, endedAt, reported, server, error, local } = operation;
    lines.push(
      `  operation ${id}, ${kind}: begun ${time(startedAt)}, ` +
        `${endedAt === null ? 'not settled' : `settled ${time(endedAt)}`} as ${reported ?? 'nothing'}${local ? ', its own fault' : ''}` +
        `${server === null ? '' : ` by the server at port ${server}`}${error === null ? '' : ` (${error})`}`,
    );
    const near = adopted.filter(({ at }) => at > startedAt - 2_000 && at < (endedAt ?? Infinity));
    for (const { at, addresses } of near) lines.push(`  the pool adopted ${addresses.join(', ')} at ${time(at)}`);
  }
  for (const { id, part, execution, server } of rows.slice(0, SHOWN_ROWS)) {
    lines.push(`  row of operation ${id}, part ${part}, execution ${execution}, on the server at port ${server}`);
  }
  return lines.join('\n');
}

function outcomes(kind: Kind, operations: readonly Operation[]): string {
  const own = operations.filter((operation) => operation.kind === kind);
  return `  ${kind}: ${own.length}; ${counted(own.map(({ reported }) => reported ?? 'not settled'))}`;
}

function kindsOf(operations: readonly Operation[]): Kind[] {
  return [...new Set(operations.map(({ kind }) => kind))].toSorted();
}

function late(failovers: readonly Failover[]): string {
  const moved = failovers.filter(({ lateMillis }) => lateMillis > 0).length;
  return `${moved} moved late, ${failovers.filter(({ nameFirst }) => nameFirst).length} before the promotion`;
}

function longest(operations: readonly Operation[]): number {
  return Math.round(operations.reduce((most, { startedAt, endedAt }) => Math.max(most, (endedAt ?? 0) - startedAt), 0));
}

function counted(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([word, count]) => `${word} ${count}`)
    .join(', ');
}

function time(millis: number): string {
  return `${(millis / 1_000).toFixed(3)} s`;
}
