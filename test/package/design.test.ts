import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const design = readFileSync(path.join(src, 'README.md'), 'utf8');
const rows = [...design.matchAll(/^\| [^|]+ \| `([\w/.-]+)`\s*\|$/gm)].map(([, file]) => file!);

/** The numbers of a section's rules. */
function rulesOf(section: string): number[] {
  const text = design.split(/^## /m).find((part) => part.toLowerCase().startsWith(`the ${section}`)) ?? '';
  return [...text.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
}

/** What a comment cites: «Design, pools rule 5», «Design, endpoint rules 3 and 8». */
const citations = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const text = readFileSync(path.join(src, file), 'utf8');
    return [...text.matchAll(/\bdesign\b[^.*]{0,20}?\brules?\b[^.:;*)]*/gi)].map(([cited]) => ({ file, cited }));
  });

describe('the design', () => {
  it.each(rows)('names a file that exists: %s', (file) => {
    expect(existsSync(path.join(src, file))).toBe(true);
  });

  it('says of at least thirty behaviours where they are', () => {
    expect(rows.length).toBeGreaterThanOrEqual(30);
  });

  it.each(citations)('has the rule that $file cites: $cited', ({ cited }) => {
    const [, section, numbers] = /design, (endpoint|sockets|pools) rules? ([\d, and]+)/i.exec(cited) ?? [];
    expect(section, 'which section?').toBeDefined();
    for (const number of numbers!.match(/\d+/g) ?? []) expect(rulesOf(section!)).toContain(Number(number));
  });
});
