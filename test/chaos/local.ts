import { messageOf } from '../../src/errors.js';

/** A fault of the application's own, or of its login: the servers run, and the name stays where it is. */
export type Local =
  /** The server takes no more sessions: 53300, or 1040. */
  | 'full'
  /** Each login takes longer than a server may be silent. */
  | 'slow logins'
  /** The server has another password: 28P01, or 1045. */
  | 'wrong password'
  /** The function that tells the password takes its time. */
  | 'slow password'
  /** It throws, two times of three. */
  | 'no password'
  /** The process has no file descriptor left. */
  | 'no files';

export const LOCALS: readonly Local[] = [
  'full',
  'slow logins',
  'wrong password',
  'slow password',
  'no password',
  'no files',
];

/** Those that a driver can have: mysql2 takes a password, and no function. */
export function localsOf(driver: string): readonly Local[] {
  return driver === 'mysql2'
    ? LOCALS.filter((local) => !local.endsWith(' password') || local === 'wrong password')
    : LOCALS;
}

export const NO_TOKEN = 'the token service did not answer';
/** What a refused login, and what fails in this process, is told by. */
const LOCAL_CODES: ReadonlySet<unknown> = new Set(['28P01', 'ER_ACCESS_DENIED_ERROR', 'EMFILE']);

/** Is a failure, or what caused it, of the application's own making? */
export function isLocal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (LOCAL_CODES.has(code) || messageOf(cause).includes(NO_TOKEN) || messageOf(cause).includes('EMFILE'))
      return true;
  }
  return false;
}
