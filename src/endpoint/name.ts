import { domainToASCII } from 'node:url';
import { EipPoolError } from '../errors.js';
import { invalidOption } from '../options.js';

const ASCII_LABEL: RegExp = /^[a-z0-9_-]+$/i;
const EXPECTED = 'a DNS name of letters, digits, - and _';

/**
 * RFC 1035: 253 characters, labels of up to 63; what is not ASCII is measured as it is asked, in its IDNA form. Returns the
 * name as it was given: its case and its final dot are the caller's.
 * @throws `INVALID_OPTION`
 */
export function readName(name: unknown): string {
  if (typeof name !== 'string' || name.trim() === '') throw invalidOption('name', 'a DNS name', name);
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const ascii = labels.map((label) => {
    if (label === '') throw invalidOption('name', 'a DNS name without empty labels', name);
    const asked = asciiLabel(label);
    if (asked === null) throw invalidOption('name', EXPECTED, name);
    if (asked.length > 63) throw tooLong('a label has at most 63', asked.length);
    return asked;
  });
  const { length } = ascii.join('.');
  if (length > 253) throw tooLong('a DNS name has at most 253', length);
  return name;
}

/** One spelling for each name: as DNS is asked, in lower case, without its final dot. */
export function canonicalName(name: string): string {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const labels = bare.split('.').map((label) => asciiLabel(label) ?? label);
  return labels.join('.').toLowerCase();
}

/** The same with the final dot, if there is one: such a name is complete, and another one to the system. */
export function canonicalSpelling(name: string): string {
  return name.endsWith('.') ? `${canonicalName(name)}.` : canonicalName(name);
}

/** The IDNA form of a label; null for what is none. One label at a time, or `1.2` would be taken for an address. */
function asciiLabel(label: string): string | null {
  if (ASCII_LABEL.test(label)) return label;
  // It reads a URL's host: what else is ASCII would end it, or be decoded.
  if (!/^(?:[a-z0-9_-]|[^\0-\x7f])+$/i.test(label)) return null;
  const ascii = domainToASCII(label);
  return ASCII_LABEL.test(ascii) ? ascii : null;
}

function tooLong(rule: string, length: number): EipPoolError {
  return new EipPoolError('INVALID_OPTION', `option name: ${rule} characters, got ${length}`);
}
