import { describe, expect, it } from 'vitest';
import { check } from './checker.js';
import type { History, Kind, Operation, Reported, Row } from './history.js';

const [OLD, NEW] = [5001, 5002];
const LIMIT = 1_000;

function operation(kind: Kind, reported: Reported | null, extra: Partial<Operation> = {}): Operation {
  return {
    id: 1,
    kind,
    limitMillis: LIMIT,
    startedAt: 0,
    endedAt: 10,
    reported,
    server: null,
    error: null,
    local: false,
    answers: 1,
    strayed: false,
    ...extra,
  };
}

function row(part: number = 0, extra: Partial<Row> = {}): Row {
  return { id: 1, part, execution: `first of ${part}`, server: OLD, ...extra };
}

/** The rules that a history breaks; the name moves from the old server to the new one after 100 ms. */
function broken(operations: readonly Operation[], rows: readonly Row[] = [], extra: Partial<History> = {}): string[] {
  const history: History = {
    operations,
    rows,
    adopted: [
      { at: -1, addresses: ['127.0.0.2'] },
      { at: 100, addresses: ['127.0.0.3'] },
    ],
    owners: { '127.0.0.2': OLD, '127.0.0.3': NEW },
    calms: [],
    refusals: [],
    freezes: [],
    replicated: false,
    ...extra,
  };
  return check(history).map(({ rule }) => rule);
}

describe('the checker', () => {
  it('finds nothing in a history that keeps every promise', () => {
    expect(broken([operation('read', 'ok', { server: OLD })])).toEqual([]);
    expect(broken([operation('write', 'ok')], [row()])).toEqual([]);
    expect(broken([operation('write', 'unknown')], [row()])).toEqual([]);
    expect(broken([operation('write', 'unknown')])).toEqual([]);
    expect(broken([operation('write', 'rejected')])).toEqual([]);
    expect(broken([operation('transaction', 'ok')], [row(0), row(1)])).toEqual([]);
    expect(broken([operation('call', 'unknown')], [row(0)])).toEqual([]);
  });

  it('sees a caller who was forgotten, and one who was told too late', () => {
    expect(broken([operation('write', null, { endedAt: null, answers: 0 })])).toEqual(['forgotten']);
    expect(broken([operation('write', 'unknown', { endedAt: LIMIT + 1 })])).toEqual(['hung']);
  });

  it('sees a read that failed', () => {
    expect(broken([operation('read', 'unknown')])).toEqual(['failed read']);
  });

  it('lets a read fail by a fault of the application, and no other one', () => {
    const refused = { refusals: [{ from: 5, to: 20 }] };
    expect(broken([operation('read', 'failed', { local: true })])).toEqual([]);
    expect(broken([operation('read', 'not-sent')], [], refused)).toEqual([]);
    expect(broken([operation('read', 'not-sent', { startedAt: 30, endedAt: 40 })], [], refused)).toEqual([
      'failed read',
    ]);
  });

  it('gives a caller the time in which the process was stopped, and lets nothing be done then where the name was', () => {
    const frozen = { freezes: [{ from: 40, to: 90, left: OLD, until: 300 }] };
    expect(broken([operation('write', 'unknown', { endedAt: LIMIT + 40 })], [], frozen)).toEqual([]);
    expect(broken([operation('write', 'unknown', { endedAt: LIMIT + 60 })], [], frozen)).toEqual(['hung']);
    const after = { startedAt: 95, endedAt: 120 };
    expect(broken([operation('write', 'ok', after)], [row()], frozen)).toEqual(['misdirected']);
    expect(broken([operation('write', 'ok', after)], [row(0, { server: NEW })], frozen)).toEqual([]);
  });

  it('sees a write that was refused by the application itself, and is there', () => {
    expect(broken([operation('write', 'unknown', { local: true })], [row()])).toEqual(['done all the same']);
  });

  it('sees a caller who was answered twice, and one in the context of others', () => {
    expect(broken([operation('write', 'ok', { answers: 2 })], [row()])).toEqual(['answered twice']);
    expect(broken([operation('write', 'ok', { strayed: true })], [row()])).toEqual(['strayed']);
  });

  it('sees work that was cut while its server was well, whatever befell the application', () => {
    const calm = { calms: [{ from: 0, to: 50 }] };
    expect(broken([operation('write', 'unknown')], [], calm)).toEqual(['cut alive']);
    expect(broken([operation('write', 'unknown', { endedAt: 60 })], [], calm)).toEqual([]);
    expect(broken([operation('write', 'unknown', { local: true })], [], calm)).toEqual([]);
  });

  it.each(['write', 'transaction', 'call'] as const)('sees a %s that was reported and is not there', (kind) => {
    expect(broken([operation(kind, 'ok')])).toEqual(['lost']);
  });

  it.each(['ok', 'unknown', 'rejected', 'not-sent'] as const)('sees a write twice that was reported %s', (reported) => {
    const twice = [row(), row(0, { execution: 'second', server: NEW })];
    expect(broken([operation('write', reported, { endedAt: 200 })], twice)).toEqual(['doubled']);
  });

  it('sees the half of a CALL twice', () => {
    expect(broken([operation('call', 'ok')], [row(0), row(0, { execution: 'second' }), row(1)])).toEqual(['doubled']);
  });

  it.each(['not-sent', 'rejected', 'failed'] as const)('sees a write that is there though it was %s', (reported) => {
    expect(broken([operation('write', reported)], [row()])).toEqual(['done all the same']);
  });

  it('sees one half of a transaction, whatever was reported', () => {
    expect(broken([operation('transaction', 'unknown')], [row(1)])).toEqual(['torn']);
  });

  it('sees rows that nobody wrote', () => {
    expect(broken([], [row()])).toEqual(['out of nowhere']);
  });

  it('sees work on a server that the name had left before it began', () => {
    const after = { startedAt: 150, endedAt: 160 };
    expect(broken([operation('read', 'ok', { ...after, server: OLD })])).toEqual(['misdirected']);
    expect(broken([operation('write', 'unknown', after)], [row()])).toEqual(['misdirected']);
    expect(broken([operation('read', 'ok', { ...after, server: NEW })])).toEqual([]);
  });

  it('lets work that began before the move end on either server', () => {
    const across = { startedAt: 50, endedAt: 150 };
    for (const server of [OLD, NEW]) expect(broken([operation('read', 'ok', { ...across, server })])).toEqual([]);
  });

  it('counts an execution once however many replicas have it', () => {
    const replicas = [row(), row(0, { server: NEW })];
    expect(broken([operation('write', 'ok', { server: OLD })], replicas, { replicated: true })).toEqual([]);
    const lost = [operation('write', 'ok', { server: OLD })];
    expect(broken(lost, [], { replicated: true })).toEqual(['lost']);
  });
});
