/** One operation of a client under load. Times are milliseconds on the clock that all processes share. */
export interface Operation {
  readonly kind: 'read' | 'write';
  /** When it was due: an operation that had to wait for its turn counts from here. */
  readonly intendedAt: number;
  /** Null while it is under way; of one that is hung, for ever. */
  readonly endedAt: number | null;
  /** The port of the database server that did it; null unless it succeeded. */
  readonly server: number | null;
  readonly error: string | null;
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

export function summarise(operations: readonly Operation[], change: Change): Summary {
  const ended = operations.filter((operation) => operation.endedAt !== null && operation.endedAt >= change.at);
  const ends = (server: number): number[] =>
    ended.filter((operation) => operation.server === server).map(({ endedAt }) => (endedAt ?? 0) - change.at);
  const [onNew, onOld] = [ends(change.newServer), ends(change.oldServer)];
  const firstSuccess = onNew.length === 0 ? null : Math.min(...onNew);
  const waits = operations
    .filter(({ endedAt, server }) => server !== null && endedAt !== null && endedAt >= change.begunAt)
    .map(({ endedAt, intendedAt }) => (endedAt ?? 0) - intendedAt);
  const isBack = ({ intendedAt, server }: Operation): boolean =>
    server === change.oldServer && firstSuccess !== null && intendedAt > change.at + firstSuccess;
  const errors = operations.filter(({ error, endedAt }) => error !== null && (endedAt ?? 0) >= change.begunAt);
  return {
    firstSuccess,
    lastOnOld: onOld.length === 0 ? null : Math.max(...onOld),
    onOld: onOld.length,
    backOnOld: operations.filter(isBack).length,
    errors: errors.length,
    lastError: errors.length === 0 ? null : Math.max(...errors.map(({ endedAt }) => (endedAt ?? 0) - change.at)),
    hung: operations.filter(({ endedAt }) => endedAt === null).length,
    longestWait: Math.max(0, ...waits),
    operations: operations.length,
  };
}
