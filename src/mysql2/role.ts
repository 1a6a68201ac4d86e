import type * as mysql from 'mysql2';
import { moveToFront } from './internals.js';

/**
 * A server is read-only by `read_only` (which `super_read_only` implies, and which users with SUPER ignore) or by
 * `innodb_read_only`, which Aurora's readers have. Every MySQL from 5.6 on and every MariaDB knows both.
 */
export const ROLE = 'select @@global.read_only as server, @@global.innodb_read_only as engine';

/** 0 or 1; in words from MariaDB 12 on, where there is more than one way to be read-only. */
const WRITABLE: ReadonlySet<string> = new Set(['0', 'OFF']);

/** What the server answered to {@link ROLE}. A proxy may answer anything; what it does not know is no refusal. */
export function isReadOnlyRow(row: unknown): boolean {
  const values = Object.values((row ?? {}) as Record<string, string | number | null>);
  return values.some((value) => value != null && !WRITABLE.has(String(value).toUpperCase()));
}

const QUESTIONS: WeakSet<object> = new WeakSet();

/** Whether it asks for the role: what a server answers to that is never a reason to ask again. */
export function isRoleQuestion(command: object): boolean {
  return QUESTIONS.has(command);
}

/** One round trip, before whatever waits for its turn on the connection. */
export function askRole(connection: mysql.Connection, told: (error: Error | null, readOnly: boolean) => void): void {
  const options = { sql: ROLE, rowsAsArray: false, nestTables: false, typeCast: true };
  const question = connection.query(options, (error: Error | null, rows: unknown) => {
    if (error != null) told(error, false);
    else told(null, isReadOnlyRow((rows as unknown[])[0]));
  });
  QUESTIONS.add(question);
  moveToFront(connection, question);
}
