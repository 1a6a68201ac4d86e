import { type Resolution, type TransactionAdapter, Transactions } from '../../src/failover/transaction.js';
import type { Scope } from '../../src/failover/transaction-scope.js';
import type { TransactionOptions } from '../../src/failover/transaction-options.js';
import { type Failure, failures, FakeSession, held, log } from './fake-session.js';

export interface Tx {
  query(sql: string): Promise<void>;
  transaction: Scope<Tx>['transaction'];
}

export const lost = (): Failure => ({ kind: 'lost', error: Object.assign(new Error('reset'), { syscall: 'read' }) });
export const refused = (code: string, kind: Failure['kind'] = 'refused'): Failure => ({
  kind,
  error: Object.assign(new Error(code), { code, severity: 'ERROR' }),
});

/** What the server says of a COMMIT whose answer was lost. */
export const server: { resolution: Resolution } = { resolution: 'unknown' };

const adapter: TransactionAdapter<Tx, FakeSession> = {
  dialect: 'postgres',
  open: async () => new FakeSession(),
  handle: (session, scope) => ({
    query: (sql) => scope.statement(sql, () => session.query(sql)),
    transaction: (fn) => scope.transaction(fn),
  }),
  isConflict: (error) => (error as { code?: string }).code === '40001',
  isTimeOut: (error) => (error as Error).message === 'time-out',
  resolve: async () => {
    log.push('resolve');
    return server.resolution;
  },
};
export const transactions: Transactions<Tx, FakeSession> = new Transactions(adapter);

export async function once<T>(fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T> {
  return await transactions.run(fn, options);
}

export async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: Error & { code?: string } }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: error as Error & { code?: string } };
  }
}

export const fail = (what: string, ...list: Failure[]): Failure => {
  failures.set(what, list);
  return list[0]!;
};

/** Before each test. */
export function reset(): void {
  log.length = 0;
  failures.clear();
  held.clear();
  server.resolution = 'unknown';
}
