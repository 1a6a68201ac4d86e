/** Whose lexical rules a text follows. MariaDB's are MySQL's. */
export type Dialect = 'postgres' | 'mysql';

/**
 * The text without what is not SQL: a literal leaves `''`, a quoted name its two quotes, a comment a space. Null where a
 * server may read it in more than one way, or where this does not know how: what is left open, an executable comment, a
 * character that belongs to no token, a backslash in a string whose meaning depends on the session and makes a difference.
 */
export function bareText(text: string, dialect: Dialect): string | null {
  // PostgreSQL's protocol ends a text there.
  if (dialect === 'postgres' && text.includes('\0')) return null;
  const [usual, ...others] = READINGS[dialect];
  const bare = read(text, usual);
  return !text.includes('\\') || others.every((other) => read(text, other) === bare) ? bare : null;
}

/** Where a token that begins at `at` ends; `at` where it is none, and -1 where it is never closed. */
type End = (text: string, at: number) => number;

interface Token {
  readonly end: End;
  /** What stands for it; null for itself. */
  readonly bare: string | null;
}

/** From left to right, as the server's own lexer does it: the first of the tokens that begins here. */
function read(text: string, tokens: readonly Token[]): string | null {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const from = at;
    const token = tokens.find(({ end }) => (at = end(text, from)) !== from);
    if (token === undefined || at < 0) return null;
    out += token.bare ?? text.slice(from, at);
  }
  return out;
}

/** A token that a regular expression with the flag `y` knows. */
function pattern(expression: RegExp, bare: string | null): Token {
  const end: End = (text, at) => {
    expression.lastIndex = at;
    return expression.test(text) ? expression.lastIndex : at;
  };
  return { end, bare };
}

/** What begins so belongs to no token that is understood. */
function doubtful(expression: RegExp): Token {
  const { end } = pattern(expression, null);
  return { end: (text, at) => (end(text, at) === at ? at : -1), bare: null };
}

/** Everything between two quotes, of which two in a row are one; with `escapes` a backslash hides the next character. */
function quoted(opening: RegExp, bare: string, escapes: boolean): Token {
  const { end } = pattern(opening, bare);
  return {
    end: (text, at) => {
      const inside = end(text, at);
      return inside === at ? at : closeOf(text, inside, text[inside - 1]!, escapes);
    },
    bare,
  };
}

function closeOf(text: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from; at < text.length; at++) {
    if (escapes && text[at] === '\\') at++;
    else if (text[at] === quote && text[at + 1] !== quote) return at + 1;
    else if (text[at] === quote) at++;
  }
  return -1;
}

/** PostgreSQL's manual, 4.1.2.4. A tag is compared as it is written. */
const dollarQuoted: Token = {
  end: (text, at) => {
    DOLLAR_TAG.lastIndex = at;
    const [tag] = DOLLAR_TAG.exec(text) ?? [];
    if (tag === undefined) return at;
    const close = text.indexOf(tag, at + tag.length);
    return close < 0 ? -1 : close + tag.length;
  },
  bare: "''",
};
const DOLLAR_TAG: RegExp = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy;

/** PostgreSQL's block comments nest. */
const nestedComment: Token = {
  end: (text, from) => {
    if (!text.startsWith('/*', from)) return from;
    let depth = 0;
    for (let at = from; at < text.length; at++) {
      const pair = text.slice(at, at + 2);
      if (pair === '/*') depth++;
      else if (pair === '*/') depth--;
      else continue;
      if (depth === 0) return at + 2;
      at++;
    }
    return -1;
  },
  bare: ' ',
};

const NUMBER: RegExp =
  /(?:0x[\da-f_]+|0o[0-7_]+|0b[01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d[\d_]*)?)(?![\w\u0080-\uffff])/iy;

/**
 * PostgreSQL's manual, 4.1, and its `scan.l`: a longer token goes first, so an `e`, a `$` or a quote that continues a name
 * begins nothing.
 */
function postgres(backslashEscapes: boolean): readonly Token[] {
  return [
    pattern(/[ \t\n\r\f\v]+/y, null),
    pattern(/--[^\n\r]*/y, ' '),
    nestedComment,
    quoted(/e'/iy, "''", true),
    quoted(/u&'/iy, "''", false),
    quoted(/u&"/iy, '""', false),
    quoted(/'/y, "''", backslashEscapes),
    quoted(/"/y, '""', false),
    pattern(/[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy, null),
    pattern(NUMBER, null),
    pattern(/\$\d+(?![a-z_\u0080-\uffff])/iy, null),
    dollarQuoted,
    pattern(/[!#%&()*+,./:;<=>?@[\]^`{|}~-]/y, null),
  ];
}

/**
 * MySQL's manual, 11.1 and 11.7, and `sql_lex.cc`: comments do not nest; those with `!` are executed; two dashes begin one
 * only before a space or a control character; a name may begin with a digit. A `$` at its beginning begins a string of
 * newer servers. Whether double quotes hold a string or a name depends on the session, but not where they end.
 */
function mysql(inSingle: boolean, inDouble: boolean): readonly Token[] {
  return [
    pattern(/[ \t\n\r\f\v]+/y, null),
    pattern(/#[^\n\0]*(?:\n|$)/y, ' '),
    // oxlint-disable-next-line no-control-regex
    pattern(/--(?=[\x01-\x20\x7f]|$)[^\n\0]*(?:\n|$)/y, ' '),
    doubtful(/--[\0\u0080-\uffff]/y),
    // What is executed, and hints, which may hold quoted names.
    doubtful(/\/\*(?:!|m!|\+(?:(?!\*\/)[\s\S])*?['"`])/iy),
    pattern(/\/\*[\s\S]*?\*\//y, ' '),
    quoted(/'/y, "''", inSingle),
    quoted(/"/y, '""', inDouble),
    quoted(/`/y, '``', false),
    pattern(/[\w\u0080-\uffff][\w$\u0080-\uffff]*/y, null),
    doubtful(/\/\*/y),
    pattern(/[!%&()*+,./:;<=>?@[\]^{|}~-]/y, null),
  ];
}

/** Where a backslash escapes is for the session's `standard_conforming_strings`, or its `sql_mode`, to say. */
const READINGS: Readonly<Record<Dialect, readonly [readonly Token[], ...(readonly Token[])[]]>> = {
  postgres: [postgres(false), postgres(true)],
  mysql: [mysql(true, true), mysql(false, false), mysql(true, false)],
};
