import { NOT_AGAIN } from './effects.js';
import { asksSession } from './session-state.js';
import { bareStatement, bareStatements, type Dialect, firstWord } from './statement.js';

/** EXPLAIN is none of them: with ANALYZE it runs what it explains. */
const READING: ReadonlySet<string> = new Set(['select', 'values', 'table', 'show', 'with']);

/**
 * What INTO makes is a table, a file or a session's variable; `:=` and a lone `@` are of MySQL's session variables;
 * PROCEDURE hands the rows to code of the server's; MariaDB in its Oracle mode writes `s.nextval`.
 */
const LEAVES_SOMETHING: Readonly<Record<Dialect, RegExp>> = {
  postgres: /\binto\b|\bfor\s+(?:no\s+key\s+update|key\s+share|update|share)\b/i,
  mysql:
    /\binto\b|:=|(?<!@)@(?!@)|\bfor\s+(?:update|share)\b|\block\s+in\s+share\s+mode\b|\bprocedure\b|\.\s*(?:nextval|currval)\b/i,
};

/** After WITH a statement that writes may follow, or be a part of it. */
const WRITES: RegExp = /\b(?:update|delete|merge|insert(?!\s*\()|replace(?!\s*\())\b/i;

/** A quoted name that is called: it may be any function's. PostgreSQL's manual, 4.1.2.3, has UESCAPE. */
const QUOTED_CALL: RegExp = /["`]\s*(?:uescape\s*''\s*)?\(/i;

/**
 * Whether this is one statement that only reads, if it is run in a READ ONLY transaction, and that any session would
 * answer alike. The server refuses there what writes, even in a function; what it lets pass is listed in `effects.ts` and
 * `extensions.ts`, what depends on the session in `session-state.ts`. In doubt, no.
 *
 * What a function of the user's own does besides, such as calling one of those lists, cannot be seen from here.
 */
export function onlyReads(text: string, dialect: Dialect): boolean {
  const bare = bareStatement(text, dialect);
  if (bare === null || !READING.has(firstWord(bare))) return false;
  if (/\bwith\b/i.test(bare) && WRITES.test(bare)) return false;
  const leaves = LEAVES_SOMETHING[dialect].test(bare) || NOT_AGAIN[dialect].test(bare);
  return !leaves && !QUOTED_CALL.test(bare) && !asksSession(bare, dialect);
}

/** What a statement calls, by the names as PostgreSQL folds them; words of its grammar are among them. */
export function calledNames(text: string): string[] {
  const bare = bareStatement(text, 'postgres') ?? '';
  const names = [...bare.matchAll(/([a-z_\u0080-\uffff][\w$\u0080-\uffff]*)\s*\(/gi)].map(([, name = '']) => name);
  return [...new Set(names.map((name) => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())))];
}

/** First words of statements that leave the transaction open in which they run, whatever is in them. */
const KEEPING: ReadonlySet<string> = new Set([
  ...READING,
  ...['insert', 'update', 'delete', 'merge', 'replace', 'savepoint', 'release', 'explain'],
]);
const KEEPING_OF: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  postgres: new Set([
    ...['create', 'alter', 'drop', 'truncate', 'comment', 'grant', 'revoke', 'refresh', 'analyze', 'lock'],
    ...['set', 'reset', 'declare', 'fetch', 'move', 'close', 'copy', 'listen', 'notify'],
  ]),
  // Not what commits implicitly, or may (`SET autocommit`). DO takes expressions, and no function can commit.
  mysql: new Set(['do', 'use', 'describe', 'desc']),
};

const TO_SAVEPOINT: RegExp = /^rollback\s+(?:(?:work|transaction)\s+)?to\b/i;

/**
 * Whether the transaction is certainly still open, or rolled back by the server, after this text. In doubt, no.
 * @param single the server takes no more than one statement of it, so that its first word is enough
 */
export function keepsTransaction(text: string, dialect: Dialect, single: boolean = false): boolean {
  const statements = bareStatements(text, dialect);
  const keeps = (word: string): boolean => KEEPING.has(word) || KEEPING_OF[dialect].has(word);
  if (statements === null) return single && keeps(leadingWord(text));
  return statements.length > 0 && statements.every((bare) => TO_SAVEPOINT.test(bare) || keeps(firstWord(bare)));
}

/** The first word after comments of either dialect; none where a comment is one that MySQL executes. */
function leadingWord(text: string): string {
  return firstWord(text.replace(/^(?:\s+|\/\*(?!!|M!)[\s\S]*?\*\/|#[^\n]*(?:\n|$)|--\s[^\n]*(?:\n|$))+/, ''));
}

/** PostgreSQL's command tags of what ends a transaction, or would begin one in it. */
const ENDING_TAGS: ReadonlySet<string> = new Set([...['COMMIT', 'BEGIN', 'START TRANSACTION', 'PREPARE TRANSACTION']]);
/** First words of what PostgreSQL answers with the tag ROLLBACK: COMMIT too, in a transaction that has failed. */
const ROLLING_BACK: ReadonlySet<string> = new Set(['rollback', 'abort', 'commit', 'end']);

/**
 * Whether a statement ended the transaction that it ran in, by the tag with which PostgreSQL answered it. The session's
 * state does not tell: `COMMIT AND CHAIN` leaves it in a transaction, but in another one.
 * @param text what was sent, of which it is one statement; null where that is not known
 */
export function endsTransaction(tag: string, text: string | null): boolean {
  if (ENDING_TAGS.has(tag)) return true;
  if (tag !== 'ROLLBACK') return false;
  // ROLLBACK TO SAVEPOINT has the same tag.
  const statements = text === null ? null : bareStatements(text, 'postgres');
  if (statements === null) return text === null || !isToSavepoint(text);
  return statements.some((bare) => ROLLING_BACK.has(firstWord(bare)) && !TO_SAVEPOINT.test(bare));
}

/** For a text with quotes and block comments, in which only its beginning is clear: is it that, and one statement? */
function isToSavepoint(text: string): boolean {
  const uncommented = text.replace(/\/\*[\s\S]*?\*\//g, ' ').trim();
  return TO_SAVEPOINT.test(uncommented) && !/\/\*|\*\/|;\s*\S/.test(uncommented);
}
