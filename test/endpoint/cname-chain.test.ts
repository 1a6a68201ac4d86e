import { describe, expect, it } from 'vitest';
import { cnameChain } from '../../src/endpoint/resolvers/cname-chain.js';

const names: Readonly<Record<string, string>> = {
  'db.example.com': 'a.example.com',
  'a.example.com': 'b.example.com',
};
const coded = (code: string): Error => Object.assign(new Error(code), { code });
const unaborted = new AbortController().signal;

const chainOf = (known: Readonly<Record<string, string>>, end: Error | null = coded('ENODATA'), signal = unaborted) =>
  cnameChain('db.example.com', signal, async (alias) => {
    const next = known[alias];
    if (next !== undefined) return [next];
    if (end !== null) throw end;
    return [];
  });

describe('a CNAME chain', () => {
  it.each([coded('ENODATA'), coded('ENOTFOUND'), null])('ends where a name has no CNAME: %s', async (end) => {
    expect(await chainOf(names, end)).toEqual(['a.example.com', 'b.example.com']);
    expect(await chainOf({}, end)).toEqual([]);
  });

  it('that loops ends where it meets itself', async () => {
    expect(await chainOf({ ...names, 'b.example.com': 'db.example.com' })).toEqual(['a.example.com', 'b.example.com']);
    expect(await chainOf({ ...names, 'b.example.com': 'a.example.com' })).toEqual(['a.example.com', 'b.example.com']);
    expect(await chainOf({ 'db.example.com': 'db.example.com' })).toEqual([]);
  });

  it('is followed for eight names and no further', async () => {
    let asked = 0;
    const chain = await cnameChain('n0', unaborted, async () => [`n${++asked}`]);
    expect(chain).toEqual(['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8']);
    expect(asked).toBe(8);
  });

  it.each(['ESERVFAIL', 'ETIMEOUT', 'ECONNREFUSED'])('is not known after %s', async (code) => {
    expect(await chainOf(names, coded(code))).toBeNull();
    expect(await chainOf(names, new Error('without a code'))).toBeNull();
  });

  it('that is aborted is what was found until then, if anything was', async () => {
    const aborted = AbortSignal.abort();
    expect(await chainOf(names, new Error('aborted'), aborted)).toEqual(['a.example.com', 'b.example.com']);
    expect(await chainOf({}, new Error('aborted'), aborted)).toBeNull();
  });
});
