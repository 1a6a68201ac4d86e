import type { Change, Operation } from '../../../src/cli/failover/operation.js';

/** The fault is in force at 900, the name moves at 1000. */
export const change: Change = { at: 1_000, begunAt: 900, oldServer: 1, newServer: 2 };

const blank: Operation = {
  kind: 'read',
  id: null,
  intendedAt: 0,
  endedAt: null,
  server: null,
  error: null,
  outcome: null,
};

export function read(intendedAt: number, endedAt: number, server: number | null): Operation {
  return { ...blank, intendedAt, endedAt, server };
}

export function write(id: string, intendedAt: number, endedAt: number, server: number | null = null): Operation {
  return { ...blank, kind: 'write', id, intendedAt, endedAt, server };
}

export function failed(operation: Operation, outcome: Operation['outcome'] = 'unknown'): Operation {
  return { ...operation, server: null, error: 'reset', outcome };
}

export function hung(operation: Operation): Operation {
  return { ...operation, endedAt: null, server: null };
}
