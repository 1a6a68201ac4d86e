import { describe, expect, it } from 'vitest';
import { type Operation, summarise } from '../../../src/cli/failover/operation.js';
import { change, failed as failing, hung as hanging, read as done, write } from './support.js';

const failed = (intendedAt: number, endedAt: number): Operation => failing(write('id', intendedAt, endedAt));
const hung = (intendedAt: number): Operation => hanging(done(intendedAt, intendedAt, null));

describe('the summary of a failover', () => {
  it('of nothing is nothing', () => {
    expect(summarise([], change)).toEqual({
      firstSuccess: null,
      lastOnOld: null,
      onOld: 0,
      backOnOld: 0,
      errors: 0,
      lastError: null,
      hung: 0,
      longestWait: 0,
      operations: 0,
    });
  });

  it('has the first success on the new server, after the move, in any order of operations', () => {
    const { firstSuccess } = summarise([done(1_300, 1_320, 2), done(990, 1_150, 2), failed(1_000, 1_010)], change);
    expect(firstSuccess).toBe(150);
  });

  it('knows no first success where only the old server did anything', () => {
    expect(summarise([done(1_100, 1_110, 1), hung(1_000)], change).firstSuccess).toBeNull();
  });

  it('tells how much the old server still did after the move, and until when', () => {
    const operations = [done(800, 999, 1), done(990, 1_000, 1), done(1_000, 1_400, 1), done(1_200, 1_210, 2)];
    expect(summarise(operations, change)).toMatchObject({ onOld: 2, lastOnOld: 400 });
  });

  it('tells what went back to the old server after the new one had worked', () => {
    const operations = [done(1_050, 1_100, 2), done(1_060, 1_200, 1), done(1_100, 1_300, 1), done(1_101, 1_400, 1)];
    expect(summarise(operations, change).backOnOld).toBe(1);
    expect(summarise([done(5_000, 5_001, 1)], change).backOnOld).toBe(0);
  });

  it('counts errors from the fault on, and not those before it, and tells when the last one came', () => {
    const operations = [failed(880, 899), failed(1_000, 1_500), failed(880, 900)];
    expect(summarise(operations, change)).toMatchObject({ errors: 2, lastError: 500 });
    expect(summarise([failed(880, 899)], change)).toMatchObject({ errors: 0, lastError: null });
  });

  it('counts what has not ended', () => {
    expect(summarise([hung(1_000), hung(100), done(1_000, 1_001, 2)], change)).toMatchObject({
      hung: 2,
      operations: 3,
    });
  });

  it('has the longest wait from when an operation was due, among those that succeeded after the fault', () => {
    const operations = [done(-5_000, 899, 1), done(880, 2_000, 2), done(1_900, 2_100, 2), failed(0, 5_000), hung(0)];
    expect(summarise(operations, change).longestWait).toBe(1_120);
  });
});
