/** HTML or SVG that is safe to write. Only {@link markup} and {@link trusted} make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand between pieces of markup: text is escaped, null is nothing. */
export type Part = Markup | string | number | null | readonly Part[];

/** A template whose every value is escaped, unless it is markup itself. For elements and double-quoted attributes. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((string, i) => string + written(parts[i] ?? null)).join(''));
}

/** For constants of this program, never for what comes from a file. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function written(part: Part): string {
  if (part === null) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(written).join('');
  return escapeXml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeXml(text: string): string {
  return visible(text).replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!);
}

/** For one line of Markdown, also in a table's cell. */
export function escapeMarkdown(text: string): string {
  return visible(text).replaceAll(/[\\`*_{}[\]<>|&~#!]/g, (char) => `\\${char}`);
}

/**
 * Control characters have no place in XML, and on a terminal they act; those that turn the direction of the text would
 * forge its neighbours.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\p{Bidi_Control}\uFFFE\uFFFF]/gu, '\uFFFD');
}
