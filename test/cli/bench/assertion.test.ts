import { describe, expect, it } from 'vitest';
import { check, parseAssertion } from '../../../src/cli/bench/assertion.js';
import { clientsNamed, ownClient } from '../../../src/cli/bench/clients.js';
import type { Row } from '../../../src/cli/bench/matrix.js';
import { measure, type Measured } from '../../../src/cli/bench/measure.js';
import { change } from '../failover/support.js';

const clients = [...clientsNamed('ours'), ...clientsNamed('stock'), ownClient('/somewhere/mine.mjs', 'mariadb')];
const parse = (text: string) => parseAssertion(text, clients);
const nothing = measure(
  { change, startedAt: 0, endedAt: 2_000 },
  { operations: [], lostWrites: 0, doubledWrites: 0, crashes: [] },
);
const run = (firstSuccess: number | null, lostWrites = 0): Measured => ({
  ...nothing,
  lostWrites,
  summary: { ...nothing.summary, firstSuccess },
});
const row = (client: string, runs: readonly Measured[]): Row => ({
  title: 'silent',
  fault: 'silent',
  rate: 100,
  client,
  kind: 'embedded-postgres',
  bareMillis: [10, 10, 10],
  runs,
});

describe('the grammar of an assertion', () => {
  it('names clients, faults, a metric and a limit', () => {
    expect(parse('ours:silent.firstSuccessMs<1500')).toMatchObject({
      clients: ['eip-pool/pg', 'eip-pool/mysql2', 'eip-pool/generic-pool'],
      faults: ['silent'],
      metric: { name: 'firstSuccessMs' },
      operator: '<',
      limit: 1_500,
      ofMedian: false,
      isRatio: false,
    });
    expect(parse('pg.Pool tuned:dns.longestWaitMs.median >= 2.5x')).toMatchObject({
      clients: ['pg.Pool tuned'],
      faults: ['dns-drop', 'dns-servfail', 'dns-empty'],
      operator: '>=',
      limit: 2.5,
      ofMedian: true,
      isRatio: true,
    });
    expect(parse('mine:all.lostWrites=0')).toMatchObject({ clients: ['mine'], operator: '=', limit: 0 });
  });

  it.each([
    ['ours:silent.firstSucessMs<1', "did you mean 'firstSuccessMs'?"],
    ['ours:silnet.hung<1', "did you mean 'silent'?"],
    ['our:silent.hung<1', "did you mean 'ours'?"],
    ['ours.silent.hung<1', 'expected CLIENT:FAULT.METRIC<NUMBER'],
    ['ours:silent.hung', 'expected CLIENT:FAULT.METRIC<NUMBER'],
    ['ours:silent.hung<1500ms', 'expected CLIENT:FAULT.METRIC<NUMBER'],
    ['ours:silent.hung<2x', 'hung is no duration'],
    ['peers:silent.hung<2', 'no such client is measured'],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('an assertion', () => {
  it('holds for every run of every client that it names', () => {
    const rows = [
      row('eip-pool/pg', [run(10), run(20), run(30)]),
      row('eip-pool/generic-pool', [run(10), run(900)]),
      row('pg.Pool', [run(null)]),
    ];
    expect(check(parse('ours:silent.firstSuccessMs<1000'), rows)).toEqual([]);
    const [failure, ...others] = check(parse('ours:silent.firstSuccessMs<500'), rows);
    expect(others).toEqual([]);
    expect(failure).toMatchObject({ row: rows[1], said: '900 in run 2 of 2, not < 500' });
  });

  it('takes what never happened for endless', () => {
    const [failure] = check(parse('pg.Pool:silent.firstSuccessMs<100000'), [row('pg.Pool', [run(null)])]);
    expect(failure!.said).toBe('never in run 1 of 1, not < 100000');
  });

  it('may be about the median, and about the bare limit', () => {
    const rows = [row('eip-pool/pg', [run(10), run(20), run(900)])];
    expect(check(parse('ours:silent.firstSuccessMs.median<=20'), rows)).toEqual([]);
    expect(check(parse('ours:silent.firstSuccessMs.median<=2x'), rows)).toEqual([]);
    expect(check(parse('ours:silent.firstSuccessMs<=2x'), rows)[0]!.said).toBe('900 in run 3 of 3, not <= 20');
  });

  it('fails where nothing was measured that it could hold for', () => {
    expect(check(parse('mine:silent.hung=0'), [row('pg.Pool', [run(1)])])[0]).toMatchObject({ row: null });
  });
});
