import { describe, expect, it } from 'vitest';
import { EipPoolError, type ErrorCode, outcomeOf } from '../../src/index.js';
import { noteAnswer, noteOutcome, type Outcome } from '../../src/outcome/outcome.js';

const server = (code: string, severity = 'ERROR', routine?: string) =>
  Object.assign(new Error('from the server'), { code, severity, routine });
const mysql = (errno: number, sqlState: string, sql?: string) =>
  Object.assign(new Error('from the server'), { errno, sqlState, sql });
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
  CONNECTION_LOST: 'unknown',
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
    ['53300', 'exec_stmt_raise'],
    ['57P03', 'exec_stmt_raise'],
    ['57P01', 'exec_stmt_raise'],
    ['57P02', 'exec_stmt_raise'],
    ['08006', 'dblink_res_error'],
    ['28000', 'exec_stmt_raise'],
    ['3D000', 'exec_stmt_raise'],
    ['53300', undefined],
    ['57P03', undefined],
  ])('with the code %s as a mere ERROR, which %s raised, is as with any other: there is none', (code, routine) => {
    expect(outcomeOf(server(code, 'ERROR', routine))).toBeUndefined();
  });

  it.each(['53300', '57P03', '28P01', '3D000'])('with a FATAL %s in answer to a statement is unknown', (code) => {
    const error = server(code, 'FATAL');
    noteAnswer(error, 'CALL p()');
    expect(outcomeOf(error)).toBe('unknown');
  });

  it.each([
    ['57P01', 'FEHLER', 'unknown'],
    ['08006', 'FEHLER', 'unknown'],
    ['53300', 'FEHLER', 'unknown'],
    ['23505', 'FEHLER', undefined],
  ])('with %s from a server that speaks another language (%s) is %s', (code, severity, outcome) => {
    expect(outcomeOf(server(code, severity, 'exec_stmt_raise'))).toBe(outcome);
  });

  it('with a read-only code that a function raised is unknown', () => {
    const statement = 'INSERT INTO t VALUES (1)';
    expect(outcomeOf(server('25006', 'ERROR', 'exec_stmt_raise'), statement)).toBe('unknown');
    expect(outcomeOf(server('25006', 'ERROR', 'PreventCommandIfReadOnly'), statement)).toBe('rejected');
  });

  it.each([
    [1045, '28000', undefined, 'not-sent'],
    [1040, '08004', undefined, 'not-sent'],
    [1040, '08004', 'call p()', 'unknown'],
    [1045, '28000', 'call p()', undefined],
    [1053, '08S01', 'select 1', 'unknown'],
    [1927, '70100', 'select 1', 'unknown'],
    [1644, '45000', undefined, undefined],
    [1644, '08S01', 'call p()', undefined],
    [1290, 'HY000', 'insert into t values (1)', 'unknown'],
    [1062, '23000', 'insert into t values (1)', undefined],
  ])('with MySQL’s %i (%s) of the statement %j is %s', (errno, sqlState, sql, outcome) => {
    expect(outcomeOf(mysql(errno, sqlState, sql))).toBe(outcome);
  });

  it('with a code of MySQL’s logins in answer to a statement is none of a login', () => {
    const error = mysql(1045, '28000');
    noteAnswer(error, 'call p()');
    expect(outcomeOf(error)).toBeUndefined();
  });

  it('with MySQL’s 1290 is rejected once the server said that it is read-only', () => {
    const error = mysql(1290, 'HY000', 'insert into t values (1)');
    noteAnswer(error, 'insert into t values (1)', true);
    expect(outcomeOf(error)).toBe('rejected');
  });

  it('with a driver’s own words for what it did not send, said by a server, is what the server’s code says', () => {
    const words = 'Client was closed and is not queryable';
    expect(outcomeOf(Object.assign(new Error(words), { code: 'P0001', severity: 'ERROR' }))).toBeUndefined();
    expect(outcomeOf(Object.assign(new Error('Pool is closed.'), { errno: 1644, sqlState: '45000' }))).toBeUndefined();
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
    noteAnswer(error, 'INSERT INTO t VALUES (1)');
    expect(outcomeOf(error)).toBe('rejected');
    expect(outcomeOf(error, 'CALL p()')).toBe('unknown');
  });

  it('is what an adapter knows of exactly this error, whatever others like it mean', () => {
    const error = server('57P01', 'FATAL');
    noteOutcome(error, 'rejected');
    expect(outcomeOf(error)).toBe('rejected');
    // It was its session's owner who said so; whoever meets the error later knows less.
    noteOutcome(error, 'unknown');
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
