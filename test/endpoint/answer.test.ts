import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readResolution } from '../../src/endpoint/answer.js';
import { canonicalAddress } from '../../src/endpoint/address.js';

const read = (resolution: unknown) => readResolution(resolution as never, 'db.example.com', 'mine', 7);

describe('what a resolver returned', () => {
  it('becomes an answer with the time at which it came', () => {
    const chain = ['a.example.com'];
    expect(read({ addresses: ['10.0.0.1'], ttlSeconds: 20, chain, from: 'server 1' })).toEqual({
      addresses: ['10.0.0.1'],
      ttlSeconds: 20,
      chain,
      source: 'server 1',
      at: 7,
    });
  });

  it('has the resolver for its source, no TTL and no chain where it does not say', () => {
    expect(read({ addresses: ['10.0.0.1'] })).toEqual({
      addresses: ['10.0.0.1'],
      ttlSeconds: null,
      chain: [],
      source: 'mine',
      at: 7,
    });
  });

  it('keeps the order of its addresses, each once and in canonical form, and drops what is none', () => {
    const addresses = ['FD00::0001', '10.0.0.2', 'junk', null, '::ffff:10.0.0.1', 'fd00::1', '10.0.0.1'];
    expect(read({ addresses }).addresses).toEqual(['fd00::1', '10.0.0.2', '10.0.0.1']);
  });

  it('is cut at 64 addresses', () => {
    const addresses = Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`);
    expect(read({ addresses }).addresses).toEqual(addresses.slice(0, 64));
  });

  it('keeps the same ones of too many, in whatever order they come', () => {
    const many = Array.from({ length: 100 }, (_, i) => `10.0.${i % 7}.${i}`);
    const kept = read({ addresses: many }).addresses.toSorted();
    for (let turn = 1; turn < 100; turn++) {
      const turned = [...many.slice(turn), ...many.slice(0, turn)];
      const { addresses } = read({ addresses: turned });
      expect(addresses.toSorted()).toEqual(kept);
      expect(turned.filter((each) => addresses.includes(each))).toEqual(addresses);
    }
  });

  it('says which server of its source said so, and what the others did, where there are any', () => {
    const others = [{ server: 'b', addresses: ['FD00::1', 'junk'], ttlSeconds: -1 }, null, { server: 7 }];
    const resolution = { addresses: ['10.0.0.1'], server: 'a', servers: ['a', 'b', 7], others, silent: 'b' };
    expect(read(resolution)).toMatchObject({
      server: 'a',
      servers: ['a', 'b'],
      others: [{ server: 'b', addresses: ['fd00::1'], ttlSeconds: undefined }],
      silent: [],
    });
  });

  it.each([
    [-1, null],
    [NaN, null],
    ['60', null],
    [0, 0],
    [86_401, 86_400],
    [Infinity, 86_400],
  ])('with a TTL of %s has one of %s', (ttlSeconds, ttl) => {
    expect(read({ addresses: ['10.0.0.1'], ttlSeconds }).ttlSeconds).toBe(ttl);
  });

  it.each([
    [undefined, 'it returned no list of addresses'],
    [null, 'it returned no list of addresses'],
    ['10.0.0.1', 'it returned no list of addresses'],
    [{ addresses: '10.0.0.1' }, 'it returned no list of addresses'],
    [{ addresses: [] }, 'the answer is empty'],
    [{ addresses: ['junk', 7] }, 'no IP address is in its answer'],
  ])('is no answer where it is %j', (resolution, why) => {
    expect(() => read(resolution)).toThrow(expect.objectContaining({ code: 'NO_ADDRESS' }));
    expect(() => read(resolution)).toThrow(`db.example.com: mine knows no address: ${why}`);
  });

  it('cannot be changed afterwards by the resolver that returned it', () => {
    const addresses = ['10.0.0.1'];
    const answer = read({ addresses });
    addresses[0] = '10.0.0.2';
    expect(answer.addresses).toEqual(['10.0.0.1']);
    expect(Object.isFrozen(answer.addresses)).toBe(true);
  });

  it('never yields anything but addresses, names and a time, whatever stands beside one good address', () => {
    const junk = fc.array(fc.anything(), { maxLength: 5 });
    fc.assert(
      fc.property(junk, fc.anything(), fc.anything(), fc.anything(), (more, ttlSeconds, chain, from) => {
        const answer = read({ addresses: ['10.0.0.1', ...more], ttlSeconds, chain, from });
        for (const address of answer.addresses) expect(canonicalAddress(address)).toBe(address);
        for (const name of answer.chain) expect(typeof name).toBe('string');
        expect(typeof answer.source).toBe('string');
        expect(answer.ttlSeconds === null || (answer.ttlSeconds >= 0 && answer.ttlSeconds <= 86_400)).toBe(true);
      }),
    );
  });
});
