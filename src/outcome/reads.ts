import { EFFECTS } from './effects.js';
import { bareStatement, type Dialect, firstWord } from './statement.js';

/** EXPLAIN is none of them: with ANALYZE it runs what it explains. */
const READING: ReadonlySet<string> = new Set(['select', 'values', 'table', 'show', 'with']);

/** What INTO makes is a table, a file or a session's variable; `:=` and a lone `@` are of MySQL's session variables. */
const LEAVES_SOMETHING: Readonly<Record<Dialect, RegExp>> = {
  postgres: /\binto\b/i,
  mysql: /\binto\b|:=|(?<!@)@(?!@)/i,
};

/** A quoted name that is called: it may be any function's. PostgreSQL's manual, 4.1.2.3, has UESCAPE. */
const QUOTED_CALL: RegExp = /["`]\s*(?:uescape\s*''\s*)?\(/i;

/**
 * Is this one statement that only reads, if it is run in a READ ONLY transaction? The server refuses there what writes,
 * even in a function; what it lets pass is listed in `effects.ts`. In doubt, no: a backslash, whose meaning depends on
 * the session, is a doubt.
 *
 * What a function of the user's own does besides, such as calling one of that list, cannot be seen from here.
 */
export function onlyReads(text: string, dialect: Dialect): boolean {
  if (text.includes('\\')) return false;
  const bare = bareStatement(
    text.replace(/^[\s(]+/, (start) => start.replaceAll('(', ' ')),
    dialect,
  );
  if (bare === null || !READING.has(firstWord(bare))) return false;
  return !LEAVES_SOMETHING[dialect].test(bare) && !QUOTED_CALL.test(bare) && !EFFECTS[dialect].test(bare);
}

/** First words of statements that leave the transaction open in which they run, whatever is in them. */
const KEEPING: ReadonlySet<string> = new Set([
  ...READING,
  ...['insert', 'update', 'delete', 'merge', 'replace', 'savepoint', 'release'],
]);
/** In MySQL these commit implicitly, or may (`SET autocommit`). */
const KEEPING_POSTGRES: ReadonlySet<string> = new Set([
  ...['create', 'alter', 'drop', 'truncate', 'comment', 'grant', 'revoke', 'refresh', 'analyze', 'explain', 'lock'],
  ...['set', 'reset', 'declare', 'fetch', 'move', 'close', 'copy', 'listen', 'notify'],
]);

/** Is the transaction certainly still open, or rolled back, after this statement? In doubt, no. */
export function keepsTransaction(text: string, dialect: Dialect): boolean {
  const bare = bareStatement(text, dialect);
  if (bare === null) return false;
  const word = firstWord(bare);
  return KEEPING.has(word) || (dialect === 'postgres' && KEEPING_POSTGRES.has(word));
}
