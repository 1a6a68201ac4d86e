import { type Adopted, type History, type Operation, PARTS, type Row } from './history.js';

export type Rule =
  /** A promise that did not settle within its deadline. */
  | 'hung'
  /** Reported as done, and not there. */
  | 'lost'
  /** There more than once. */
  | 'doubled'
  /** Reported as not done, and there. */
  | 'done all the same'
  /** A part of a transaction. */
  | 'torn'
  /** There, and nobody wrote it. */
  | 'out of nowhere'
  /** A read that failed, whatever befell the servers. */
  | 'failed read'
  /** Done on a server that the name had left when the work began. */
  | 'misdirected';

export interface Violation {
  readonly rule: Rule;
  /** In words. */
  readonly text: string;
  readonly operation: Operation | null;
  readonly rows: readonly Row[];
}

/** What a history breaks of that which the library promises. Pure. */
export function check(history: History): Violation[] {
  const rows = byOperation(history.rows);
  const known = new Set(history.operations.map(({ id }) => id));
  return [
    ...history.operations.flatMap((operation) => [
      ...checkEnd(operation, history),
      ...checkRows(operation, rows.get(operation.id) ?? []),
      ...checkPlace(operation, rows.get(operation.id) ?? [], history),
    ]),
    ...[...rows]
      .filter(([id]) => !known.has(id))
      .map(([id, found]) => violation('out of nowhere', `nobody wrote operation ${id}`, null, found)),
  ];
}

function checkEnd(operation: Operation, { limitMillis }: History): Violation[] {
  const { endedAt, startedAt, reported, kind } = operation;
  const took = endedAt === null ? Infinity : endedAt - startedAt;
  if (took > limitMillis) {
    const end = endedAt === null ? 'never settled' : `settled after ${Math.round(took)} ms`;
    return [violation('hung', `it ${end}; the limit is ${limitMillis} ms`, operation, [])];
  }
  if (kind === 'read' && reported !== 'ok') return [violation('failed read', 'a read failed', operation, [])];
  return [];
}

function checkRows(operation: Operation, rows: readonly Row[]): Violation[] {
  const { kind, reported } = operation;
  const parts = Array.from({ length: PARTS[kind] }, (_, part) => countOf(rows, part));
  const found = parts.join(' and ');
  const broken = (rule: Rule, text: string): Violation => violation(rule, text, operation, rows);
  if (parts.some((count) => count > 1)) return [broken('doubled', `executed ${found} times`)];
  const done = parts.filter((count) => count === 1).length;
  if (kind === 'transaction' && done > 0 && done < parts.length) return [broken('torn', `its parts: ${found} times`)];
  if (reported === 'ok' && done < parts.length) return [broken('lost', `reported as done, executed ${found} times`)];
  // An error that a procedure itself raises says nothing of what it committed before.
  const undone = reported === 'not-sent' || reported === 'rejected' || (reported === 'failed' && kind !== 'call');
  if (undone && done > 0) return [broken('done all the same', `reported as ${reported}, executed ${found} times`)];
  return [];
}

/** The pool leaves a server in the turn in which it adopts the answer: what begins later is not done there. */
function checkPlace(operation: Operation, rows: readonly Row[], history: History): Violation[] {
  const places = new Set(history.replicated ? [] : rows.map(({ server }) => server));
  if (operation.server !== null) places.add(operation.server);
  if (places.size === 0) return [];
  const allowed = serversDuring(operation, history);
  const wrong = [...places].filter((server) => !allowed.has(server));
  if (wrong.length === 0) return [];
  const text = `done on ${wrong.join(', ')} while the name was at ${[...allowed].join(', ')}`;
  return [violation('misdirected', text, operation, rows)];
}

function serversDuring({ startedAt, endedAt }: Operation, { adopted, owners }: History): Set<number> {
  const first = Math.max(0, lastBefore(adopted, startedAt));
  const last = lastBefore(adopted, endedAt ?? Infinity);
  const servers = adopted.slice(first, last + 1).flatMap(({ addresses }) => addresses.map((one) => owners[one]));
  return new Set(servers.filter((server) => server !== undefined));
}

/** The index of the last answer that was adopted before this moment; -1 if none was. */
function lastBefore(adopted: readonly Adopted[], moment: number): number {
  let [low, high] = [0, adopted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (adopted[middle]!.at <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Replicas of one execution count once. */
function countOf(rows: readonly Row[], part: number): number {
  return new Set(rows.filter((row) => row.part === part).map(({ execution }) => execution)).size;
}

function byOperation(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.id);
    if (group === undefined) groups.set(row.id, [row]);
    else group.push(row);
  }
  return groups;
}

function violation(rule: Rule, text: string, operation: Operation | null, rows: readonly Row[]): Violation {
  return { rule, text, operation, rows };
}
