import type { Outcome } from '../../src/outcome/outcome.js';

/** What the load does; how many rows of the ledger each leaves. */
export const PARTS: Readonly<Record<Kind, number>> = { read: 0, write: 1, transaction: 2, call: 2 };

/** `call` is a procedure that commits its first row before it writes the second one. */
export type Kind = 'read' | 'write' | 'transaction' | 'call';

/** What the caller was told: done, what is known of the failure, or an ordinary error of the server. */
export type Reported = 'ok' | Outcome | 'failed';

export interface Operation {
  /** Unique in a history; the rows of the ledger carry it. */
  readonly id: number;
  readonly kind: Kind;
  /** Milliseconds on the clock of the process that ran it, as all times here. */
  readonly startedAt: number;
  /** Null while its promise is not settled. */
  readonly endedAt: number | null;
  readonly reported: Reported | null;
  /** The port of the server that says it did it. */
  readonly server: number | null;
  readonly error: string | null;
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
  /** Of all servers. */
  readonly rows: readonly Row[];
  /** Whose addresses the servers had: address → the server's port. */
  readonly owners: Readonly<Record<string, number>>;
  /** Do the servers hold the same rows? */
  readonly replicated: boolean;
  /** No promise may take longer. */
  readonly limitMillis: number;
}
