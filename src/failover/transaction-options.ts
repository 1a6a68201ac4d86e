import { integer, invalidOption, oneOf, readOptions } from '../options.js';

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable';

/** For `pool.transaction`. A nested call takes `retries`, `marker` and `signal` from the outermost one. */
export interface TransactionOptions {
  /** @defaultValue the server's */
  readonly isolationLevel?: IsolationLevel | undefined;
  /** @defaultValue the server's */
  readonly accessMode?: 'read write' | 'read only' | undefined;
  /**
   * How often the function is run again, from its beginning and on a new transaction, after a connection that was lost
   * before COMMIT was sent, and after a serialization failure or a deadlock of its own statements that no savepoint has
   * undone. What it does outside of the database is done again too.
   * @defaultValue 0
   */
  readonly retries?: number | undefined;
  /**
   * A table, `NAME` or `SCHEMA.NAME`, with a unique text column `id`, into which the transaction writes an id of its own.
   * Where the answer to COMMIT is lost, the row tells whether it was done. One whose row would tell nothing is refused
   * with `INVALID_OPTION`, and the transaction rolled back: a view, a temporary, unlogged or foreign table, one of a
   * MySQL engine that keeps no transactions, one that keeps another id than it is given, in PostgreSQL one with a trigger
   * for each row that comes. Without a schema it is looked for on the search path of PostgreSQL's session,
   * and in the database of MySQL's login.
   * @defaultValue none
   */
  readonly marker?: string | undefined;
  /**
   * Ends it before COMMIT is sent, whatever it waits for, by closing its connection; a statement under way goes on until
   * the server notices, and a function that waits for something else until that is there.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface ReadTransactionOptions {
  readonly isolationLevel: IsolationLevel | null;
  readonly accessMode: 'read write' | 'read only' | null;
  readonly retries: number;
  readonly marker: string | null;
  readonly signal: AbortSignal | null;
}

/** Nothing in it needs quotes, in any dialect. */
const TABLE: RegExp = /^[a-z_]\w*(\.[a-z_]\w*)?$/i;

const LEVELS: readonly IsolationLevel[] = ['read uncommitted', 'read committed', 'repeatable read', 'serializable'];

export function readTransactionOptions(input: unknown): ReadTransactionOptions {
  return readOptions<ReadTransactionOptions>(
    {
      isolationLevel: (value, name) => (value === undefined ? null : oneOf('serializable', LEVELS)(value, name)),
      accessMode: (value, name) =>
        value === undefined ? null : oneOf('read write', ['read write', 'read only'])(value, name),
      retries: integer(0, 0, 1_000),
      marker: (value, name) => {
        if (value === undefined) return null;
        if (typeof value === 'string' && TABLE.test(value)) return value;
        throw invalidOption(name, 'the name of a table, of letters, digits and _, with or without a schema', value);
      },
      signal: (value, name) => {
        if (value === undefined) return null;
        if (value instanceof AbortSignal) return value;
        throw invalidOption(name, 'an AbortSignal', value);
      },
    },
    input,
    'transaction',
  );
}
