import type { Outcome } from '../../src/outcome/outcome.js';

/**
 * What the load does; how many rows of the ledger each leaves where it is done. A rollback is a transaction whose function
 * throws in the end: it must leave none.
 */
export const PARTS: Readonly<Record<Kind, number>> = {
  read: 0,
  'read on a lease': 0,
  write: 1,
  transaction: 2,
  call: 2,
  rollback: 2,
};

/** `call` is a procedure that commits its first row before it writes the second one. */
export type Kind = 'read' | 'read on a lease' | 'write' | 'transaction' | 'call' | 'rollback';

/** What the caller was told: done, what is known of the failure, or an ordinary error of the server. */
export type Reported = 'ok' | Outcome | 'failed';

export interface Operation {
  /** Unique in a history; the rows of the ledger carry it. */
  readonly id: number;
  readonly kind: Kind;
  /** Its promise may not take longer. */
  readonly limitMillis: number;
  /** Milliseconds on the clock of the process that ran it, as all times here. */
  readonly startedAt: number;
  /** Null while its promise is not settled. */
  readonly endedAt: number | null;
  readonly reported: Reported | null;
  /** The port of the server that says it did it. */
  readonly server: number | null;
  readonly error: string | null;
  /** It failed with what a fault of this process's own fails with, or with a refused login. */
  readonly local: boolean;
  /** How often its caller was answered. */
  readonly answers: number;
  /** It was answered in the asynchronous context of another one. */
  readonly strayed: boolean;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The process of the load was stopped, and the name left a server meanwhile. */
export interface Freeze extends Span {
  /** The port of the one that was left. */
  readonly left: number;
  /** Until then, after the process went on, the name was not there again. */
  readonly until: number;
}

/** The pool adopted an answer: from now on it may use these addresses only. */
export interface Adopted {
  readonly at: number;
  readonly addresses: readonly string[];
}

/** A row of the ledger, which has no unique constraint: what was executed twice is there twice. */
export interface Row {
  readonly id: number;
  readonly part: number;
  /** Made by the server for each execution; a replica has the same. */
  readonly execution: string;
  readonly server: number;
}

/** All that is known when everything has ended. */
export interface History {
  readonly operations: readonly Operation[];
  readonly adopted: readonly Adopted[];
  /** While no server has a fault and the name stays where it is, whatever fault the application itself has. */
  readonly calms: readonly Span[];
  /**
   * While reads may fail: logins did for a reason that is the application's own, and that nobody waits for to pass; or
   * connections were lost whose server, for all that anybody knows, may still be at work on what it was sent.
   */
  readonly refusals: readonly Span[];
  readonly freezes: readonly Freeze[];
  /** Of all servers. */
  readonly rows: readonly Row[];
  /** Whose addresses the servers had: address → the server's port. */
  readonly owners: Readonly<Record<string, number>>;
  /** Do the servers hold the same rows? */
  readonly replicated: boolean;
}
