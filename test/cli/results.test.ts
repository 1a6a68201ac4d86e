import { describe, expect, it } from 'vitest';
import { type Result, table } from '../../src/cli/demo/results.js';

const result = (fault: Result['fault'], label: string, changes: Partial<Result['summary']> = {}): Result => ({
  fault,
  label,
  summary: {
    firstSuccess: 123,
    lastOnOld: null,
    onOld: 0,
    lastError: null,
    backOnOld: 0,
    errors: 0,
    hung: 0,
    longestWait: 0,
    operations: 100,
    ...changes,
  },
});

describe('the table of results', () => {
  const text = table(
    [
      result('kill', 'eip-pool'),
      result('kill', 'pg.Pool', { firstSuccess: null, errors: 1_234, hung: 10 }),
      result('alive', 'eip-pool', { onOld: 7, lastOnOld: 1_039 }),
    ],
    8_000,
  );

  it('has a line for each client, in columns that line up, with each fault named once', () => {
    expect(text).toBe(
      [
        '                                                  client    first success  errors  hung  on the old server',
        '-'.repeat(106),
        'the old server is killed, the name moves at once  eip-pool         0.12 s       0     0                  0',
        '                                                  pg.Pool      not in 8 s    1234    10                  0',
        'the old server is alive, the name moves           eip-pool         0.12 s       0     0    7, until 1.04 s',
      ].join('\n'),
    );
  });

  it('ends no line with blanks', () => {
    for (const line of text.split('\n')) expect(line).toBe(line.trimEnd());
  });
});
