/** Whose lexical rules a text follows. MariaDB's are MySQL's. */
export type Dialect = 'postgres' | 'mysql';

/**
 * Is this exactly one statement, and none that can commit a part of itself (CALL, DO)? In doubt, no.
 */
export function isSingleStatement(text: string, dialect: Dialect = 'postgres'): boolean {
  const statement = bareStatement(text, dialect);
  return statement !== null && !/^(call|do)$/.test(firstWord(statement));
}

/** The only statement of a text, without literals, comments and quoted names; null if it is not the only one, or in doubt. */
export function bareStatement(text: string, dialect: Dialect): string | null {
  const bare = dialect === 'postgres' ? withoutLiterals(text) : withoutMysqlLiterals(text);
  if (bare === null) return null;
  const [statement = '', ...others] = bare
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return others.length === 0 && firstWord(statement) !== '' ? statement : null;
}

/** In lower case; empty if the statement begins with anything else. */
export function firstWord(bare: string): string {
  return /^[a-z]+/i.exec(bare)?.[0].toLowerCase() ?? '';
}

/**
 * Each alternative is one token whose inside is not SQL; what is left open is no match. An `e` or a `$` that continues
 * an identifier (`a$b$`) begins nothing. PostgreSQL's manual, 4.1.
 */
const LITERALS: RegExp =
  /(?<![\w$\u0080-\uffff])e'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\u0080-\uffff])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1|--[^\n\r]*/gi;

function withoutLiterals(text: string): string | null {
  const uncommented = withoutBlockComments(text);
  if (uncommented === null) return null;
  const bare = uncommented.replace(LITERALS, emptied);
  // A quote that is left was never closed, or closed by something this does not know.
  return /'|"|\/\*|(?<![\w$\u0080-\uffff])\$(?!\d)/.test(bare.replaceAll(/''|""/g, '')) ? null : bare;
}

/** What stands for a token, so that a quoted name can still be told from a string. */
function emptied(token: string): string {
  const [first = ''] = token;
  if (first === '-' || first === '#' || first === '/') return ' ';
  return first === '"' || first === '`' ? `${first}${first}` : "''";
}

/** Block comments nest, so no regular expression finds their end. A `/*` inside a literal makes the answer null. */
function withoutBlockComments(text: string): string | null {
  if (!text.includes('/*')) return text;
  if (/['"$]|--/.test(text)) return null;
  let out = '';
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const pair = text.slice(i, i + 2);
    if (pair === '/*') [depth, i] = [depth + 1, i + 1];
    else if (pair === '*/' && depth > 0) [depth, i, out] = [depth - 1, i + 1, `${out} `];
    else if (depth === 0) out += text[i] ?? '';
  }
  return depth === 0 ? out : null;
}

/**
 * MySQL's manual, 11.1 and 11.7: comments do not nest, those with `!` are executed, and two dashes begin one only before
 * a space. Whether a backslash escapes depends on the session, so a text with one is in doubt; whether double quotes hold
 * a string or a name does too, but not where they end.
 */
const MYSQL_LITERALS: RegExp =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\/\*(?!!|M!)[\s\S]*?\*\/|#[^\n]*|--(?=\s|$)[^\n]*/g;

function withoutMysqlLiterals(text: string): string | null {
  if (text.includes('\\')) return null;
  const bare = text.replace(MYSQL_LITERALS, emptied);
  return /['"`]|\/\*|\*\//.test(bare.replaceAll(/''|""|``/g, '')) ? null : bare;
}
