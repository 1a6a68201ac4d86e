import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPlan } from '../../../src/cli/bench/plan.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'plan-of-a-test-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const name = path.join(folder, 'matrix.json');
  writeFileSync(name, text);
  return name;
}

const labels = (args: readonly string[]): string[] => readPlan(args).clients.map(({ label }) => label);

describe('the plan of a bench', () => {
  it('is every fault, this library and the stock pool, unless said otherwise', () => {
    expect(readPlan([])).toMatchObject({ runs: 3, rates: [100], parallel: 1, watchMillis: null, asserts: [] });
    expect(labels([])).toEqual(['eip-pool/pg', 'pg.Pool', 'pg.Pool tuned']);
    expect(readPlan(['--quick']).faults).toHaveLength(4);
  });

  it('names each client once, however often it was named', () => {
    expect(labels(['--clients', 'eip-pool,ours,mysql2'])).toEqual([
      'eip-pool/pg',
      'eip-pool/mysql2',
      'eip-pool/generic-pool',
      'mysql2',
    ]);
  });

  it('comes from a file, which flags overrule', () => {
    const matrix = file('{ "faults": ["silent", "dns"], "clients": "pg.Pool", "rate": [50, 500], "runs": 7 }');
    expect(readPlan(['--matrix', matrix, '--runs', '2'])).toMatchObject({
      faults: ['silent', 'dns-drop', 'dns-servfail', 'dns-empty'],
      rates: [50, 500],
      runs: 2,
    });
  });

  it('may assert about a client of the user’s', () => {
    const { asserts, modules } = readPlan(['--client', './mine.mjs', '--assert', 'mine:kill.hung=0']);
    expect(modules).toEqual([path.resolve('mine.mjs')]);
    expect(asserts[0]!.clients).toEqual(['mine']);
  });

  it.each([
    [['--faults', 'kil'], "--faults: no fault 'kil'; did you mean 'kill'?"],
    [['--clients', 'pgpool'], "--clients: no client 'pgpool'; did you mean 'pg.Pool'?"],
    [['--runs', '1.5'], "--runs: expected a whole number, got '1.5'"],
    [['--rate', '0'], "--rate: expected a number above 0, got '0'"],
    [['--assert', 'mine:kill.hung=0'], "--assert: no client 'mine'"],
    [['--real-network', '--parallel', '2'], '--parallel: a network namespace has room for one'],
  ])('refuses %j', (args, message) => {
    expect(() => readPlan(args)).toThrow(message);
  });

  it.each([
    ['{ "fault": [] }', "no key 'fault'; did you mean 'faults'?"],
    ['[]', 'expected an object'],
    ['{ "runs": [null] }', 'runs: expected names or numbers'],
    ['{', 'JSON'],
  ])('refuses a file with %s', (text, message) => {
    expect(() => readPlan(['--matrix', file(text)])).toThrow(message);
  });
});
