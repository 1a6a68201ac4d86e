import { type Address, withPort } from '../endpoint/address.js';
import { EipPoolError } from '../errors.js';

/** What a socket says only of its attempts to connect; nobody outside hears it before the last one. */
export const ATTEMPT_EVENTS: ReadonlySet<string | symbol> = new Set([
  'error',
  'close',
  'connect',
  'ready',
  'end',
  'finish',
  'prefinish',
  'drain',
]);

export function timedOut(name: string, address: Address, port: number, millis: number): EipPoolError {
  return new EipPoolError(
    'CONNECT_TIMEOUT',
    `${name}: no connection to ${withPort(address, port)} within ${millis} ms (connectTimeoutMillis)`,
  );
}

export function noTurn(name: string, address: Address, port: number, millis: number): EipPoolError {
  return new EipPoolError(
    'CONNECT_TIMEOUT',
    `${name}: no attempt to connect to ${withPort(address, port)} got through within ${millis} ms (twice ` +
      `connectTimeoutMillis), so that this one did not have its turn`,
  );
}

export function leftMeanwhile(name: string, address: Address, port: number): EipPoolError {
  return new EipPoolError(
    'ADDRESS_LEFT',
    `${name} left ${withPort(address, port)} while a connection to it was being made`,
  );
}

export function closedBy(name: string): Error {
  return new Error(`the server behind ${name} closed the connection`);
}

/** Failures of this machine's own say nothing of the server. */
export function isLocal(error: Error): boolean {
  return 'code' in error && ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'].includes(String(error.code));
}

/** Errors of the connect call itself carry its name; nobody else's do. */
export function isAttemptFailure(error: Error | undefined): boolean {
  return error !== undefined && 'syscall' in error && error.syscall === 'connect';
}
