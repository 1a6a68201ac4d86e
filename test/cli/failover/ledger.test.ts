import { describe, expect, it } from 'vitest';
import { attribute, compareLedgers } from '../../../src/cli/failover/ledger.js';
import { failed, hung, read, write } from './support.js';

describe('the ledgers of both servers', () => {
  it('miss only writes that were acknowledged', () => {
    const operations = [
      write('kept', 1, 2),
      write('lost', 1, 2),
      failed(write('failed', 1, 2)),
      hung(write('hung', 1, 2)),
      read(1, 2, 1),
    ];
    expect(compareLedgers(operations, [{ id: 'kept', server: 1, count: 1 }])).toEqual({
      lostWrites: 1,
      doubledWrites: 0,
    });
  });

  it('hold a write twice on one server, or once on each, also one that failed', () => {
    const operations = [write('a', 1, 2), failed(write('b', 1, 2)), write('c', 1, 2)];
    const rows = [
      { id: 'a', server: 1, count: 2 },
      { id: 'b', server: 1, count: 1 },
      { id: 'b', server: 2, count: 1 },
      { id: 'c', server: 2, count: 1 },
    ];
    expect(compareLedgers(operations, rows)).toEqual({ lostWrites: 0, doubledWrites: 2 });
  });

  it('tell which server did a write whose client does not', () => {
    const said = write('said', 1, 2, 7);
    const operations = [said, write('silent', 1, 2), failed(write('failed', 1, 2)), read(1, 2, null)];
    const rows = ['said', 'silent', 'failed'].map((id) => ({ id, server: 9, count: 1 }));
    expect(attribute(operations, rows).map(({ server }) => server)).toEqual([7, 9, null, null]);
  });
});
