import { describe, expect, it } from 'vitest';
import { EipPoolError, type ErrorCode, outcomeOf } from '../../src/index.js';
import { noteOutcome, noteStatement, type Outcome } from '../../src/outcome/outcome.js';

const server = (code: string, severity = 'ERROR') => Object.assign(new Error('from the server'), { code, severity });
const system = (syscall: string, code = 'ECONNREFUSED') => Object.assign(new Error(code), { syscall, code });

const OURS: Readonly<Record<ErrorCode, Outcome>> = {
  INVALID_OPTION: 'not-sent',
  PUBLIC_ADDRESS: 'not-sent',
  ANSWER_TOO_OLD: 'not-sent',
  DEADLINE_EXCEEDED: 'not-sent',
  CONNECT_TIMEOUT: 'not-sent',
  LOOKUP_TIMEOUT: 'not-sent',
  NO_ADDRESS: 'not-sent',
  POOL_ENDED: 'not-sent',
  TOO_MANY_WAITING: 'not-sent',
  READ_ONLY_SERVER: 'not-sent',
  FAILING_FAST: 'not-sent',
  PAUSE_ENDED: 'not-sent',
  TRANSACTION_OVER: 'not-sent',
  TRANSACTION_NESTED: 'not-sent',
  TRANSACTION_FAILED: 'rejected',
  TRANSACTION_LEFT: 'unknown',
  COMMIT_UNKNOWN: 'unknown',
  LAB_UNAVAILABLE: 'not-sent',
  PEER_MISSING: 'not-sent',
  API_UNAUTHORIZED: 'not-sent',
  API_CREDENTIALS: 'not-sent',
  API_THROTTLED: 'not-sent',
  API_UNAVAILABLE: 'not-sent',
  API_REJECTED: 'not-sent',
  DRY_RUN: 'not-sent',
  ALLOCATION_NOT_FOUND: 'not-sent',
  ADDRESS_NOT_FOUND: 'not-sent',
  INSTANCE_NOT_FOUND: 'not-sent',
  INTERFACE_NOT_FOUND: 'not-sent',
  ASSOCIATION_NOT_FOUND: 'not-sent',
  INSTANCE_STATE: 'not-sent',
  ADDRESS_LIMIT: 'not-sent',
  ALREADY_ASSOCIATED: 'not-sent',
  ADDRESS_IN_USE: 'not-sent',
  NOT_SETTLED: 'not-sent',
  ADDRESS_LEFT: 'unknown',
  ADDRESS_DEAD: 'unknown',
  ENDPOINT_CLOSED: 'unknown',
};

describe('the outcome of work that failed', () => {
  it.each(Object.entries(OURS))('with %s is %s', (code, outcome) => {
    expect(outcomeOf(new EipPoolError(code as ErrorCode, 'x'))).toBe(outcome);
  });

  it('is known of an error of another copy of this library too', () => {
    const foreign = Object.assign(new Error('x'), { code: 'ADDRESS_LEFT', [Symbol.for('eip-pool.error')]: true });
    expect(outcomeOf(foreign)).toBe('unknown');
    expect(outcomeOf(Object.assign(foreign, { code: 'CONNECT_TIMEOUT' }))).toBe('not-sent');
  });

  it.each([
    ['57P03', 'FATAL', 'not-sent'],
    ['53300', 'FATAL', 'not-sent'],
    ['28P01', 'FATAL', 'not-sent'],
    ['28000', 'FATAL', 'not-sent'],
    ['3D000', 'FATAL', 'not-sent'],
    ['57P01', 'FATAL', 'unknown'],
    ['57P01', 'ERROR', 'unknown'],
    ['57P02', 'FATAL', 'unknown'],
    ['57P05', 'FATAL', 'unknown'],
    ['08006', 'ERROR', 'unknown'],
    ['XX000', 'FATAL', 'unknown'],
    ['XX000', 'PANIC', 'unknown'],
    ['23505', 'ERROR', undefined],
    ['28P01', 'ERROR', undefined],
    ['40001', 'ERROR', undefined],
    ['57014', 'ERROR', undefined],
  ])('with the server’s %s (%s) is %s', (code, severity, outcome) => {
    expect(outcomeOf(server(code, severity))).toBe(outcome);
  });

  it.each([
    ['INSERT INTO t VALUES (1)', 'rejected'],
    ['INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)', 'unknown'],
    ['CALL p()', 'unknown'],
    [undefined, 'unknown'],
  ])('of %j on a read-only server is %s', (statement, outcome) => {
    expect(outcomeOf(server('25006'), statement)).toBe(outcome);
  });

  it('is that of the statement which the error is known to answer', () => {
    const error = server('25006');
    noteStatement(error, 'INSERT INTO t VALUES (1)');
    expect(outcomeOf(error)).toBe('rejected');
    expect(outcomeOf(error, 'CALL p()')).toBe('unknown');
  });

  it('is what an adapter knows of exactly this error, whatever others like it mean', () => {
    const error = server('57P01', 'FATAL');
    noteOutcome(error, 'rejected');
    expect(outcomeOf(error)).toBe('rejected');
    expect(outcomeOf(server('57P01', 'FATAL'))).toBe('unknown');
  });

  it.each(['connect', 'getaddrinfo', 'queryA', 'queryAaaa', 'queryCname'])('is not-sent where %s failed', (syscall) => {
    expect(outcomeOf(system(syscall))).toBe('not-sent');
  });

  it.each([
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
    'timeout exceeded when trying to connect',
    'Connection terminated due to connection timeout',
    'Passing a function as the first parameter to pool.query is not supported',
  ])('is not-sent where the driver says: %s', (message) => {
    expect(outcomeOf(new Error(message))).toBe('not-sent');
  });

  it.each([
    [system('read', 'ECONNRESET')],
    [system('write', 'EPIPE')],
    [new Error('Connection terminated unexpectedly')],
    [new Error('Query read timeout')],
    [Object.assign(new Error('x'), { code: '25006' })],
    ['a string'],
    [undefined],
    [null],
    [{}],
  ])('is unknown in any other case, as with %s', (error) => {
    expect(outcomeOf(error)).toBe('unknown');
  });
});
