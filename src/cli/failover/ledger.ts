import { isSuccess, type Operation } from './operation.js';

/** So often one server's ledger holds an id. */
export interface LedgerRow {
  readonly id: string;
  /** The port of the database server. */
  readonly server: number;
  readonly count: number;
}

/** What both servers hold of the writes of one run. */
export interface LedgerVerdict {
  /** Acknowledged, and on neither server. */
  readonly lostWrites: number;
  /** There more than once, on one server or on both. */
  readonly doubledWrites: number;
}

export function compareLedgers(operations: readonly Operation[], rows: readonly LedgerRow[]): LedgerVerdict {
  const counts = new Map<string, number>();
  for (const { id, count } of rows) counts.set(id, (counts.get(id) ?? 0) + count);
  const lostWrites = countLost(operations, (id) => counts.has(id));
  return { lostWrites, doubledWrites: [...counts.values()].filter((count) => count > 1).length };
}

/** Writes that were acknowledged, and are nowhere. */
export function countLost(operations: readonly Operation[], isThere: (id: string) => boolean): number {
  return operations.filter((operation) => isSuccess(operation) && operation.id !== null && !isThere(operation.id))
    .length;
}

/** The same operations; of a successful write whose client did not say which server did it, the ledgers do. */
export function attribute(operations: readonly Operation[], rows: readonly LedgerRow[]): Operation[] {
  const servers = new Map(rows.map(({ id, server }) => [id, server]));
  return operations.map((operation) =>
    isSuccess(operation) && operation.server === null && operation.id !== null
      ? { ...operation, server: servers.get(operation.id) ?? null }
      : operation,
  );
}
