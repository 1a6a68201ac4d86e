import { expect } from 'vitest';
import type { Session } from '../../src/failover/transaction.js';

export const log: string[] = [];
/** What each statement fails with, one after the other. */
export const failures: Map<string, Failure[]> = new Map();

export interface Failure {
  readonly kind: 'lost' | 'gone' | 'refused' | 'local';
  readonly error: Error;
}

/** Statements that are not answered, until somebody calls what is given here. */
export const held: Map<string, (() => void) | null> = new Map();

/** A server in a few lines: it has a log, a status, and failures that are given to it. */
export class FakeSession implements Session {
  status: 'none' | 'open' | 'failed' = 'none';
  lost = false;
  left: boolean | undefined;
  remains = false;
  broken: boolean | null = null;

  begin(): Promise<void> {
    return this.#do('BEGIN', () => (this.status = 'open'));
  }

  run(sql: string): Promise<void> {
    return this.#do(sql, () => {
      if (sql === 'ROLLBACK') this.status = 'none';
      if (sql === 'ROLLBACK' && log.includes('insert into a table without transactions')) this.remains = true;
      if (sql.startsWith('ROLLBACK TO')) this.status = 'open';
    });
  }

  mark(table: string, _id: string): Promise<void> {
    return this.#do(`mark ${table}`);
  }

  async beforeCommit(): Promise<void> {
    if (failures.has('ask')) await this.#do('ask');
  }

  async commit(): Promise<boolean> {
    const { status } = this;
    await this.#do('COMMIT', () => (this.status = 'none'));
    return status === 'open';
  }

  release(broken: boolean): void {
    expect(this.broken).toBeNull();
    this.broken = broken;
    log.push(broken ? 'close' : 'release');
  }

  async #do(what: string, then = (): void => {}): Promise<void> {
    log.push(what);
    if (held.has(what)) await new Promise<void>((resolve) => held.set(what, resolve));
    const failure = failures.get(what)?.shift();
    if (failure === undefined) return then();
    if (failure.kind === 'lost') this.lost = true;
    else if (failure.kind === 'gone') this.status = 'none';
    else if (failure.kind === 'refused' && this.status === 'open') this.status = 'failed';
    throw failure.error;
  }

  query = (sql: string): Promise<void> =>
    this.#do(sql, () => {
      if (sql === 'commit') this.status = 'none';
      if (sql === 'rollback to mine') this.status = 'open';
      if (sql === 'rollback and chain') this.left = true;
    });
}
