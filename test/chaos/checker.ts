import { type History, type Operation, PARTS, type Row } from './history.js';

export type Rule =
  /** A caller who was never answered. */
  | 'forgotten'
  /** One who was answered after their deadline. */
  | 'hung'
  /** Reported as done, and not there. */
  | 'lost'
  /** There more than once. */
  | 'doubled'
  /** Told as not sent, as rejected or as an ordinary error, and there. */
  | 'done all the same'
  /** A part of a transaction. */
  | 'torn'
  /** There, and nobody wrote it. */
  | 'out of nowhere'
  /** A read that failed, whatever befell the servers. */
  | 'failed read'
  /** Its caller was answered twice. */
  | 'answered twice'
  /** Its caller was answered in the asynchronous context of somebody else's work. */
  | 'strayed'
  /** Cut off, though its server was well from its beginning to its end, and the name was there. */
  | 'cut alive'
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
      ...checkAnswer(operation),
      ...checkCut(operation, history),
      ...checkRows(operation, rows.get(operation.id) ?? []),
      ...checkPlace(operation, rows.get(operation.id) ?? [], history),
    ]),
    ...[...rows]
      .filter(([id]) => !known.has(id))
      .map(([id, found]) => violation('out of nowhere', `nobody wrote operation ${id}`, null, found)),
  ];
}

function checkEnd(operation: Operation, { refusals, freezes }: History): Violation[] {
  const { endedAt, startedAt, limitMillis, reported, kind, local } = operation;
  if (endedAt === null) return [violation('forgotten', 'its caller was never answered', operation, [])];
  const frozen = freezes.reduce(
    (sum, { from, to }) => sum + Math.max(0, Math.min(to, endedAt) - Math.max(from, startedAt)),
    0,
  );
  const took = endedAt - startedAt - frozen;
  if (took > limitMillis) {
    const text = `it settled after ${Math.round(took)} ms; the limit is ${limitMillis} ms`;
    return [violation('hung', text, operation, [])];
  }
  // It is run again at most once, and what that one fails with is not told: only that a login may have failed is known.
  const refused = local || refusals.some(({ from, to }) => from <= endedAt && to >= startedAt);
  if (kind === 'read' && reported !== 'ok' && !refused)
    return [violation('failed read', 'a read failed', operation, [])];
  return [];
}

/** A caller is answered exactly once, and in their own context. */
function checkAnswer(operation: Operation): Violation[] {
  const { answers, strayed } = operation;
  return [
    ...(answers > 1 ? [violation('answered twice', `its caller was answered ${answers} times`, operation, [])] : []),
    ...(strayed ? [violation('strayed', 'its caller was answered in a context of other work', operation, [])] : []),
  ];
}

/** Whatever befalls the application itself, it is no reason to cut work on a server that is well. */
function checkCut(operation: Operation, { calms }: History): Violation[] {
  const { startedAt, endedAt, reported, kind, local } = operation;
  const cut = reported === 'unknown' || reported === 'not-sent';
  if (!cut || local || endedAt === null || kind === 'rollback') return [];
  const calm = calms[lastBefore(calms, startedAt, ({ from }) => from)];
  if (calm === undefined || endedAt > calm.to) return [];
  const text = `reported as ${reported}, while its server was well`;
  return [violation('cut alive', text, operation, [])];
}

function checkRows(operation: Operation, rows: readonly Row[]): Violation[] {
  const { kind, reported, local } = operation;
  const parts = Array.from({ length: PARTS[kind] }, (_, part) => countOf(rows, part));
  const found = parts.join(' and ');
  const broken = (rule: Rule, text: string): Violation => violation(rule, text, operation, rows);
  if (parts.some((count) => count > 1)) return [broken('doubled', `executed ${found} times`)];
  const done = parts.filter((count) => count === 1).length;
  if (kind === 'rollback' && done > 0) return [broken('done all the same', `rolled back, executed ${found} times`)];
  if (kind === 'transaction' && done > 0 && done < parts.length) return [broken('torn', `its parts: ${found} times`)];
  if (reported === 'ok' && done < parts.length) return [broken('lost', `reported as done, executed ${found} times`)];
  // An error that a procedure itself raises says nothing of what it committed before.
  const undone = reported === 'not-sent' || reported === 'rejected' || (reported === 'failed' && kind !== 'call');
  if ((undone || local) && done > 0)
    return [broken('done all the same', `reported as ${reported}, executed ${found} times`)];
  return [];
}

/** The pool leaves a server in the turn in which it adopts the answer: what begins later is not done there. */
function checkPlace(operation: Operation, rows: readonly Row[], history: History): Violation[] {
  const places = new Set(history.replicated ? [] : rows.map(({ server }) => server));
  if (operation.server !== null) places.add(operation.server);
  if (places.size === 0) return [];
  const { startedAt } = operation;
  const left = history.freezes.find((one) => startedAt >= one.to && startedAt < one.until && places.has(one.left));
  if (left !== undefined) {
    const text = `done on ${left.left}, which the name left while the process was stopped`;
    return [violation('misdirected', text, operation, rows)];
  }
  const allowed = serversDuring(operation, history);
  const wrong = [...places].filter((server) => !allowed.has(server));
  if (wrong.length === 0) return [];
  const text = `done on ${wrong.join(', ')} while the name was at ${[...allowed].join(', ')}`;
  return [violation('misdirected', text, operation, rows)];
}

function serversDuring({ startedAt, endedAt }: Operation, { adopted, owners }: History): Set<number> {
  const first = Math.max(
    0,
    lastBefore(adopted, startedAt, ({ at }) => at),
  );
  const last = lastBefore(adopted, endedAt ?? Infinity, ({ at }) => at);
  const servers = adopted.slice(first, last + 1).flatMap(({ addresses }) => addresses.map((one) => owners[one]));
  return new Set(servers.filter((server) => server !== undefined));
}

/** The index of the last one before this moment, of what is in the order of its times; -1 if none was. */
function lastBefore<T>(all: readonly T[], moment: number, timeOf: (one: T) => number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(all[middle]!) <= moment) low = middle + 1;
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
