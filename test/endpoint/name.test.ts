import { describe, expect, it } from 'vitest';
import { canonicalName, readName } from '../../src/endpoint/name.js';
import { follow } from '../../src/index.js';

describe('a name', () => {
  const label = 'a'.repeat(63);

  it.each([
    'db',
    'db.example.com',
    'db.example.com.',
    '_postgres._tcp.example.com',
    'ec2-203-0-113-25.compute-1.amazonaws.com',
    'bücher.example',
    'नमस्ते.भारत',
    'cafe\u0301.example',
    'क्\u200dष.example',
    'i❤.example',
    `${'a'.repeat(60)}.example`,
    `${label}.${label}.${label}.${'a'.repeat(61)}`,
  ])('is followed as it was given: %s', (name) => {
    expect(readName(name)).toBe(name);
  });

  it.each([
    ['', 'expected a DNS name'],
    ['  ', 'expected a DNS name'],
    [undefined, 'expected a DNS name'],
    [null, 'expected a DNS name'],
    [7, 'expected a DNS name'],
    ['.', 'without empty labels'],
    ['db..example.com', 'without empty labels'],
    ['.example.com', 'without empty labels'],
    ['db.example.com:5432', 'letters, digits'],
    ['postgres://db', 'letters, digits'],
    ['db example', 'letters, digits'],
    ['::1', 'letters, digits'],
    ['é/b.example', 'letters, digits'],
    ['é%41.example', 'letters, digits'],
    ['\u0301.example', 'letters, digits'],
    ['a\u202eb.example', 'letters, digits'],
    [`${'a'.repeat(58)}ü.example`, 'at most 63 characters, got'],
    [`a${label}.example.com`, 'at most 63 characters, got 64'],
    [`${label}.${label}.${label}.${label}`, 'at most 253 characters, got 255'],
  ])('is none: %j', (name, why) => {
    expect(() => follow(name as never)).toThrow(coded('option name: '));
    expect(() => follow(name as never)).toThrow(why);
  });
});

describe('the spelling of a name', () => {
  it.each([
    ['DB.Example.com.', 'db.example.com'],
    ['Bücher.Example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['cafe\u0301.example', 'xn--caf-dma.example'],
    ['1.2', '1.2'],
  ])('of %s is %s', (name, canonical) => {
    expect(canonicalName(name)).toBe(canonical);
  });
});

function coded(start: string): unknown {
  return expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(start) });
}
