/**
 * Is this exactly one statement, and none that can commit a part of itself (CALL, DO)? In doubt, no.
 * Quotes, dollar quotes and comments are skipped as PostgreSQL's lexer does (manual, 4.1).
 */
export function isSingleStatement(text: string): boolean {
  const bare = withoutLiterals(text);
  if (bare === null) return false;
  const statements = bare.split(';').filter((part) => part.trim() !== '');
  if (statements.length !== 1) return false;
  const [first] = (statements[0] ?? '').trim().split(/[^a-z]/i);
  return first !== undefined && first !== '' && !/^(call|do)$/i.test(first);
}

/**
 * Each alternative is one token whose inside is not SQL; what is left open is no match. An `e` or a `$` that continues
 * an identifier (`a$b$`) begins nothing.
 */
const LITERALS: RegExp =
  /(?<![\w$\u0080-\uffff])e'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\u0080-\uffff])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1|--[^\n\r]*/gi;

function withoutLiterals(text: string): string | null {
  const uncommented = withoutBlockComments(text);
  if (uncommented === null) return null;
  const bare = uncommented.replace(LITERALS, (token) => (token.startsWith('--') ? ' ' : "''"));
  // A quote that is left was never closed, or closed by something this does not know.
  return /'|"|\/\*|(?<![\w$\u0080-\uffff])\$(?!\d)/.test(bare.replaceAll("''", '')) ? null : bare;
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
