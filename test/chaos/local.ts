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
  | 'no files'
  /** The servers have a certificate by now that the application does not trust. */
  | 'rotated certificate'
  /** The pooler has no connection to its server left: what it is sent waits there, in silence. */
  | 'pooler full';

export const LOCALS: readonly Local[] = [
  'full',
  'slow logins',
  'wrong password',
  'slow password',
  'no password',
  'no files',
  'rotated certificate',
  'pooler full',
];

const OF_PASSWORD_FUNCTION: ReadonlySet<Local> = new Set(['slow password', 'no password']);
/** Behind a pooler, logins are the pooler's. */
const WITH_POOLER: ReadonlySet<Local> = new Set(['slow password', 'no password', 'no files', 'pooler full']);

/** Whether it can be had with a driver, of which mysql2 takes a password and no function, and with such servers. */
export function isPossible(local: Local, driver: string, mode: string, tls: boolean): boolean {
  if (driver === 'mysql2' && OF_PASSWORD_FUNCTION.has(local)) return false;
  if (mode === 'pooled') return WITH_POOLER.has(local);
  return local === 'rotated certificate' ? tls : local !== 'pooler full';
}

export const NO_TOKEN = 'the token service did not answer';
/** What a refused login, and what fails in this process, is told by. */
const LOCAL_CODES: ReadonlySet<unknown> = new Set([
  '28P01',
  'ER_ACCESS_DENIED_ERROR',
  'EMFILE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'HANDSHAKE_SSL_ERROR',
]);

/** Is a failure, or what caused it, of the application's own making? */
export function isLocal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (LOCAL_CODES.has(code) || messageOf(cause).includes(NO_TOKEN) || messageOf(cause).includes('EMFILE'))
      return true;
  }
  return false;
}
