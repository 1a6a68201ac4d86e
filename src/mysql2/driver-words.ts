/** What mysql2 says when `connectTimeout` ends. Applications look for it. */
export const TIMED_OUT = 'connect ETIMEDOUT';

export function timeoutError(): Error {
  return Object.assign(new Error(TIMED_OUT), { errorno: 'ETIMEDOUT', code: 'ETIMEDOUT', syscall: 'connect' });
}

/** What it says to whoever asks a pool that has ended. */
export function closedError(): Error {
  return new Error('Pool is closed.');
}

/** The statement took longer than its own `timeout`: the server may still be at work. */
export function isTimeOut(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'PROTOCOL_SEQUENCE_TIMEOUT';
}
