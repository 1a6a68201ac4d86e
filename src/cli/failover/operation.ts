import type { Outcome } from '../../outcome/outcome.js';

/** One operation of a client under load. Times are milliseconds on the clock that all processes share. */
export interface Operation {
  readonly kind: 'read' | 'write';
  /** What a write inserts; null of a read. */
  readonly id: string | null;
  /** When it was due: an operation that had to wait for its turn counts from here. */
  readonly intendedAt: number;
  /** Null while it is under way; of one that is hung, for ever. */
  readonly endedAt: number | null;
  /** The port of the database server that did it; null unless it succeeded, or where nobody knows. */
  readonly server: number | null;
  readonly error: string | null;
  /** What the error says of its work; null without one. */
  readonly outcome: Outcome | 'other' | null;
}

/** What became of the name and of the old server. */
export interface Change {
  /** The later of: the DNS server gives the new answer; the fault is in force. */
  readonly at: number;
  /** When the first of the two happened. */
  readonly begunAt: number;
  readonly oldServer: number;
  readonly newServer: number;
}

/** How a client came through one failover. Times are milliseconds after {@link Change.at}. */
export interface Summary {
  /** The end of the first operation on the new server; null if there was none. */
  readonly firstSuccess: number | null;
  /** The end of the last operation on the old server; null if none ended there after the change. */
  readonly lastOnOld: number | null;
  /** Operations that the old server did after the change. */
  readonly onOld: number;
  /** Operations due after the first success on the new server that the old one did all the same. */
  readonly backOnOld: number;
  readonly errors: number;
  /** When the last of them ended; null without any. */
  readonly lastError: number | null;
  /** Operations that had not ended when the watch ended. */
  readonly hung: number;
  /** The longest time from when an operation was due to its success. */
  readonly longestWait: number;
  readonly operations: number;
}

/** One that succeeded. */
export type Success = Operation & { readonly endedAt: number };

export function isSuccess(operation: Operation): operation is Success {
  return operation.endedAt !== null && operation.error === null;
}

export function summarise(operations: readonly Operation[], change: Change): Summary {
  const ended = operations.filter(isSuccess).filter(({ endedAt }) => endedAt >= change.at);
  const ends = (server: number): number[] =>
    ended.filter((operation) => operation.server === server).map(({ endedAt }) => endedAt - change.at);
  const [onNew, onOld] = [ends(change.newServer), ends(change.oldServer)];
  const firstSuccess = onNew.length === 0 ? null : Math.min(...onNew);
  const isBack = ({ intendedAt, server }: Operation): boolean =>
    server === change.oldServer && firstSuccess !== null && intendedAt > change.at + firstSuccess;
  const errors = errorsOf(operations, change);
  return {
    firstSuccess,
    lastOnOld: onOld.length === 0 ? null : Math.max(...onOld),
    onOld: onOld.length,
    backOnOld: operations.filter(isBack).length,
    errors: errors.length,
    lastError: errors.length === 0 ? null : Math.max(...errors.map(({ endedAt }) => (endedAt ?? 0) - change.at)),
    hung: operations.filter(({ endedAt }) => endedAt === null).length,
    longestWait: longestWait(operations, change),
    operations: operations.length,
  };
}

/** Those since the change began. */
export function errorsOf(operations: readonly Operation[], { begunAt }: Change): Operation[] {
  return operations.filter(({ error, endedAt }) => error !== null && (endedAt ?? 0) >= begunAt);
}

/** From when an operation was due to its success, of all that ended since the change began. */
export function longestWait(operations: readonly Operation[], { begunAt }: Change): number {
  const ended = operations.filter(isSuccess).filter(({ endedAt }) => endedAt >= begunAt);
  return Math.max(0, ...ended.map(({ endedAt, intendedAt }) => endedAt - intendedAt));
}
