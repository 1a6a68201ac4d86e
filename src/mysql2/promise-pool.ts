import type promise from 'mysql2/promise';
import type { TransactionOptions } from '../failover/transaction-options.js';
import type { RunsAgain } from './options.js';
import type { Pool as CallbackPool } from './pool.js';
import type { Transaction } from './transaction.js';

/** mysql2's promise pool; what follows the name is the pool inside it. */
export interface PromisePool extends Omit<promise.Pool, 'pause' | 'resume'> {
  pool: CallbackPool & promise.Pool['pool'];
  query: promise.Pool['query'] & RunsAgain;
  execute: promise.Pool['execute'] & RunsAgain;
  /**
   * Runs a function in a transaction: BEGIN, the function, COMMIT; ROLLBACK if it throws. Inside another one of the same
   * pool it is a savepoint.
   *
   * Rejects with what the function threw; with `COMMIT_UNKNOWN` where the answer to COMMIT was lost and nothing else could
   * tell; with `TRANSACTION_LEFT` where a statement ended the transaction, as MySQL's DDL does.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /** {@link CallbackPool.pause} */
  pause(): Promise<void>;
  /** {@link CallbackPool.resume} */
  resume(): void;
}

export interface PromisePoolSide {
  readonly pool: Pick<CallbackPool, 'pause' | 'resume'>;
  readonly transaction: PromisePool['transaction'];
}

/** mysql2's own, and what it does not have. */
export function withOurs(stock: promise.Pool, { pool, transaction }: PromisePoolSide): PromisePool {
  const ours = { transaction, pause: () => pool.pause(), resume: () => pool.resume() };
  return Object.assign(stock, ours) as unknown as PromisePool;
}
