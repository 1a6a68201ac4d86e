import { isEipPoolError } from '../errors.js';

/** What drivers and Node put on their errors. */
const MARKS: readonly string[] = ['code', 'errno', 'syscall', 'severity', 'sqlState', 'fatal'];

/** What pg says without any of them. */
const WITHOUT_MARKS: RegExp = /^(?:Connection terminated|Query read timeout|timeout e)/;

/**
 * Whether an error that a transaction's function threw tells of other work than this transaction's: of another pool, of
 * a driver that is not ours, of any network call; itself, or as a cause. What is known of that work is not for this
 * transaction to say. An error without a sign of that is the application's own.
 * @param isOwn whether the error is of this transaction
 */
export function isForeign(error: unknown, isOwn: (error: object) => boolean, depth: number = 0): boolean {
  if (typeof error !== 'object' || error === null || isOwn(error) || depth > MOST_CAUSES) return false;
  const { message, cause, errors } = error as { message?: unknown; cause?: unknown; errors?: unknown };
  if (isEipPoolError(error) || WITHOUT_MARKS.test(String(message))) return true;
  if (MARKS.some((mark) => (error as Record<string, unknown>)[mark] !== undefined)) return true;
  return [cause, ...(Array.isArray(errors) ? (errors as unknown[]) : [])].some((inner) =>
    isForeign(inner, isOwn, depth + 1),
  );
}

/** An error may be its own cause. */
const MOST_CAUSES = 8;
