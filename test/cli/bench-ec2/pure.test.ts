import { describe, expect, it } from 'vitest';
import { arrange } from '../../../src/cli/bench/ec2/ground.js';
import { judgeWrites } from '../../../src/cli/bench/ec2/table.js';
import { POSTGRES_IDENTITY, statements } from '../../../src/cli/bench/ec2/target.js';
import type { Operation } from '../../../src/cli/failover/operation.js';

const association = {
  associationId: 'eipassoc-1',
  privateAddress: '10.0.0.9',
  networkInterfaceId: 'eni-1',
  instanceId: 'i-1',
};
const address = { allocationId: 'eipalloc-1', publicIp: '75.101.137.243', association, tags: {} };
const instance = (instanceId: string, privateAddress: string, state = 'running') => ({
  instanceId,
  privateAddress,
  state,
  publicAddress: null,
  tags: {},
});
const instances = [instance('i-2', '10.0.0.2'), instance('i-1', '10.0.0.1')];

describe('where the Elastic IP may go', () => {
  it('home is the very interface and address that it was on, in whichever order the instances are named', () => {
    expect(arrange(address, instances, [address])).toEqual({
      home: {
        instanceId: 'i-1',
        privateAddress: '10.0.0.9',
        target: { networkInterfaceId: 'eni-1', privateAddress: '10.0.0.9' },
      },
      other: { instanceId: 'i-2', privateAddress: '10.0.0.2', target: { instanceId: 'i-2' } },
    });
  });

  it.each([
    ['is on neither', { ...address, association: { ...association, instanceId: 'i-3' } }, instances, 'is on i-3'],
    ['is on nothing', { ...address, association: null }, instances, 'is on nothing'],
    ['would go to one that is stopped', address, [instance('i-2', '10.0.0.2', 'stopped'), instances[1]!], 'is stopped'],
  ])('it is refused where it %s', (_, its, both, said) => {
    expect(() => arrange(its, both, [its])).toThrow(said);
  });
});

describe('the statements of a client', () => {
  it('name the server by what it says of itself, and hold no text that could leave its quotes', () => {
    const { read, write } = statements(POSTGRES_IDENTITY, ["it's/1", 'b'], 'bench_rows');
    expect(read).toContain("when 'it''s/1' then 1 when 'b' then 2 end as server");
    expect(write).toMatch(/^insert into bench_rows \(id\) values \(\$1\) returning case /);
    expect(statements(POSTGRES_IDENTITY, ['a', 'b'], null).write).toBeNull();
  });
});

describe('writes', () => {
  const write = (id: string, server: number | null): Operation => ({
    kind: 'write',
    id,
    intendedAt: 0,
    endedAt: 1,
    server,
    error: server === null ? 'broken' : null,
    outcome: server === null ? 'unknown' : null,
  });
  const read: Operation = { kind: 'read', id: null, intendedAt: 0, endedAt: 1, server: 1, error: null, outcome: null };

  it('are lost where they were acknowledged and are on neither server, and doubled where one server has them twice', () => {
    const operations = [write('a', 1), read, write('b', 2), write('c', null), write('d', 1)];
    // The servers replicate: each has a.
    const counts = [{ a: 1 }, { a: 1, b: 2 }].map((own) => new Map(Object.entries(own)));
    expect(judgeWrites(operations, counts)).toEqual({ lostWrites: 1, doubledWrites: 1 });
  });
});
