import { bareText, type Dialect } from './lexer.js';

export type { Dialect };

/** First words of what can commit a part of itself, or of what may run such a statement. */
const IN_PARTS: ReadonlySet<string> = new Set(['call', 'do', 'execute']);

/**
 * Whether this is exactly one statement, and none that can commit a part of itself (CALL, DO). In doubt, no.
 */
export function isSingleStatement(text: string, dialect: Dialect = 'postgres'): boolean {
  const statement = bareStatement(text, dialect);
  return statement !== null && !IN_PARTS.has(firstWord(statement));
}

/** The only statement of a text, without literals, comments and quoted names; null if it is not the only one, or in doubt. */
export function bareStatement(text: string, dialect: Dialect): string | null {
  const [statement = '', ...others] = bareStatements(text, dialect) ?? [];
  return others.length === 0 && firstWord(statement) !== '' ? statement : null;
}

/** Every statement of a text, without literals, comments and quoted names; null where that is in doubt. */
export function bareStatements(text: string, dialect: Dialect): string[] | null {
  const bare = bareText(text, dialect);
  if (bare === null) return null;
  return bare
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** In lower case, past parentheses; empty if the statement begins with anything else. */
export function firstWord(bare: string): string {
  return /(?<=^[\s(]*)[a-z]+/i.exec(bare)?.[0].toLowerCase() ?? '';
}
