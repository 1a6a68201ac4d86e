import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSingleStatement } from '../../src/outcome/statement.js';

describe('one statement', () => {
  it.each([
    'SELECT 1',
    'SELECT 1;',
    '  ;; select 1 ;; ',
    "INSERT INTO t VALUES ('a;b')",
    "INSERT INTO t VALUES ('it''s; fine')",
    String.raw`SELECT E'\'; not the end'`,
    'UPDATE "odd;name" SET x = 1',
    'UPDATE "odd""; name" SET x = 1',
    'SELECT $$a; b$$',
    'SELECT $tag$a; $$ b;$tag$',
    'SELECT 1 -- and; more',
    '-- first; of all\nSELECT 1',
    '/* a; b */ SELECT 1',
    '/* a /* nested; */ b; */ SELECT 1',
    'DELETE FROM doings',
    'WITH x AS (SELECT 1) UPDATE t SET a = 1',
    'SELECT $1::int',
    'docall()',
    "SELECT '/* a */'",
    "/* it's; fine */ SELECT 'a /* b' -- */ ; c",
    'SELECT $a$ $A$; $a$',
    String.raw`SELECT 'C:\dir;\file'`,
    'SELECT $1$$;$$',
    'SELECT 0x1F, 1_000, 1.5e-7, .5, 1..2',
  ])('is %j', (text) => {
    expect(isSingleStatement(text)).toBe(true);
  });

  it.each([
    'SELECT 1; SELECT 2',
    "INSERT INTO t VALUES ('a'); DELETE FROM t",
    "SELECT 'a''b'; DELETE FROM t",
    String.raw`SELECT '\'; DELETE FROM t; --'`,
    'SELECT $a$ $b$; $a$; DELETE FROM t',
    'SELECT 1 -- more\n; DELETE FROM t',
    '/* a /* b */ c */ SELECT 1; DELETE FROM t',
    'SELECT 1 -- ends at a carriage return\r; DELETE FROM t',
    'SELECT a$b$ FROM t; DELETE FROM t; SELECT a$b$',
    String.raw`SELECT naïe'\'; DELETE FROM t; --'`,
    "INSERT INTO t VALUES ($a$ $A$ ' $a$); INSERT INTO t VALUES (2) --'",
    'SELECT 1$$ $$; DELETE FROM t',
    String.raw`SELECT U&'\'; DELETE FROM t; --'`,
    "SELECT e'a' 'b'; DELETE FROM t",
  ])('is not %j, which is several', (text) => {
    expect(isSingleStatement(text)).toBe(false);
  });

  it.each(['execute immediate x', 'EXECUTE stmt', 'call p()', 'do sleep(1)'])('is not MySQL’s %j either', (text) => {
    expect(isSingleStatement(text, 'mysql')).toBe(false);
  });

  it.each(['CALL p()', 'call p()', 'DO $$ BEGIN COMMIT; END $$', '/* x */ do $$x$$', '-- x\nCALL p()', 'CALL/**/p()'])(
    'is not %j, which can commit a part of itself',
    (text) => {
      expect(isSingleStatement(text)).toBe(false);
    },
  );

  it.each([
    '',
    ' ; ',
    '-- nothing',
    '/* nothing */',
    "SELECT 'open",
    'SELECT "open',
    'SELECT $$open',
    'SELECT $a$open$b$',
    'SELECT 1 /* open',
    '/* a /* b */ SELECT 1',
    'SELECT 1e$$;$$',
    "SELECT 1e'\\''",
    "SELECT '\0'; DELETE FROM t",
    'SELECT \0 1',
    String.raw`SELECT \; DELETE FROM t`,
  ])('is not %j, in doubt', (text) => {
    expect(isSingleStatement(text)).toBe(false);
  });
});

describe('text with two statements in it', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'aZ09 ;-*/$\n()é'.split('')), maxLength: 8 });
  const plain = fc.string({ unit: fc.constantFrom(...'aZ09 (),.=\n'.split('')), maxLength: 8 });
  const tag = fc.constantFrom('$$', '$a$', '$b_1$', '$é$');
  /** Tokens of a statement, each whole as PostgreSQL's lexer reads it. */
  const token = fc.oneof(
    plain,
    letters.map((text) => `'${text}'`),
    fc.tuple(letters, letters).map(([a, b]) => `'${a}''${b}'`),
    fc.tuple(letters, letters).map(([a, b]) => `E'${a}\\'${b}'`),
    letters.map((text) => `'${text}\\'`),
    letters.map((text) => `"${text}"`),
    fc.tuple(letters, letters).map(([a, b]) => `"${a}""${b}"`),
    fc.tuple(tag, letters).map(([quote, text]) => ` ${quote}${text.replaceAll('$', '')}${quote}`),
    letters.map((text) => ` --${text.replaceAll('\n', '')}\n`),
    plain.map((text) => ` --${text.replaceAll('\n', '')}\r`),
    letters.map((text) => ` /*${text.replaceAll(/[*/]/g, '')}*/ `),
    letters.map((text) => ` /* /*${text.replaceAll(/[*/]/g, '')}*/ ${text.replaceAll(/[*/]/g, '')}*/ `),
    fc.constantFrom(' $1 ', ' a$b ', ' a$b$ ', ' é$$ ', " N'x' ", " U&'x' ", " B'01' "),
  );
  const statement = fc
    .tuple(fc.constantFrom('SELECT ', 'INSERT ', 'update '), fc.array(token, { maxLength: 6 }))
    .map(([verb, tokens]) => verb + tokens.join(' '));

  it('is never taken for one', () => {
    fc.assert(
      fc.property(statement, statement, fc.constantFrom(';', ' ; ', ';\n', ';;'), (first, second, between) => {
        expect(isSingleStatement(first + between + second)).toBe(false);
      }),
      { numRuns: 20_000 },
    );
  });

  it('may be anything at all: the question is always answered', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...`a;'"$-*/\\eE \n`.split('')), maxLength: 40 }), (text) => {
        expect(typeof isSingleStatement(text)).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });
});
