import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalAddress,
  compareAddresses,
  familyOf,
  parseCidr,
  Ranges,
  ServiceMap,
  withPort,
} from '../../src/endpoint/address.js';

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['FD00:0:0:0::0001', 'fd00::1'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
  ])('%s is the same as %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  it.each([
    '',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '10.0.0',
    '010.0.0.1',
    '10.0.0.256',
    '10.0.0.1:80',
    '[::1]',
    'fe80::1%eth0',
    'db',
  ])('is not %j', (text) => {
    expect(canonicalAddress(text)).toBeNull();
  });

  it.each([[undefined], [null], [1], [['10.0.0.1']], [{}]])('is not %j either', (value) => {
    expect(canonicalAddress(value)).toBeNull();
  });

  it('that is canonical is its own canonical form, and of one family', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = canonicalAddress(text)!;
        expect(canonicalAddress(address)).toBe(address);
        expect(familyOf(address)).toBe(address.includes(':') ? 6 : 4);
      }),
    );
  });

  it('has its place by its family and number', () => {
    const sorted = [
      '10.0.0.2',
      '10.0.0.10',
      '192.168.0.1',
      '::',
      '::1',
      '64:ff9b::102:304',
      'fd00::2',
      'fd00::10',
      'fd00:0:1::',
    ];
    expect(sorted.toReversed().toSorted(compareAddresses)).toEqual(sorted);
  });

  it('stands with its port as people write it', () => {
    expect([withPort('10.0.0.1', 5_432), withPort('fd00::1', 5_432)]).toEqual(['10.0.0.1:5432', '[fd00::1]:5432']);
  });
});

describe('a range', () => {
  it.each([
    ['10.0.0.0/8', { network: '10.0.0.0', prefix: 8 }],
    ['0.0.0.0/0', { network: '0.0.0.0', prefix: 0 }],
    ['10.0.0.1', { network: '10.0.0.1', prefix: 32 }],
    ['FD00::/8', { network: 'fd00::', prefix: 8 }],
    ['fd00::1', { network: 'fd00::1', prefix: 128 }],
  ])('is %s', (text, cidr) => {
    expect(parseCidr(text)).toEqual(cidr);
  });

  it.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/ 8',
    'fd00::/129',
    'ten/8',
    8,
  ])('is not %j', (text) => {
    expect(parseCidr(text)).toBeNull();
  });

  it('holds its network, and of two halves of the world only one holds an address', () => {
    const halves = ['0.0.0.0/1', '128.0.0.0/1'].map((text) => new Ranges([parseCidr(text)!]));
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, prefix) => {
        expect(new Ranges([{ network: address, prefix }]).has(address)).toBe(true);
        expect(halves.filter((half) => half.has(address))).toHaveLength(1);
      }),
    );
  });

  it('of one family holds no address of the other', () => {
    expect(new Ranges([parseCidr('::/0')!]).has('fd00::1')).toBe(true);
    expect(new Ranges([parseCidr('0.0.0.0/0')!]).has('fd00::1')).toBe(false);
  });
});

describe('a map of services', () => {
  it('knows a service by its address and port, whatever object they come in', () => {
    const map = new ServiceMap<string>().set({ address: '10.0.0.1', port: 5432 }, 'a');
    expect(map.get({ address: '10.0.0.1', port: 5432 })).toBe('a');
    expect(map.get({ address: '10.0.0.1', port: 5433 })).toBeUndefined();
    expect(map.get({ address: '10.0.0.2', port: 5432 })).toBeUndefined();
  });

  it('behaves as a map whose keys are the texts of address and port', () => {
    const service = fc.record({
      address: fc.constantFrom('10.0.0.1', 'fd00::1'),
      port: fc.integer({ min: 1, max: 3 }),
    });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), service, value: fc.nat() }),
      fc.record({ kind: fc.constantFrom('delete' as const, 'leave' as const), service }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const [map, model] = [new ServiceMap<number>(), new Map<string, number>()];
        for (const {
          kind,
          service: { address, port },
          ...rest
        } of steps) {
          const text = withPort(address, port);
          if (kind === 'set' && 'value' in rest) {
            map.set({ address, port }, rest.value);
            model.set(text, rest.value);
          } else if (kind === 'delete') {
            map.delete({ address, port });
            model.delete(text);
          } else {
            map.deleteAddress(address);
            for (const key of model.keys()) if (key.startsWith(withPort(address, 0).slice(0, -1))) model.delete(key);
          }
        }
        const found = [...map.entries()].map(([{ address, port }, value]) => [withPort(address, port), value]);
        expect(new Map(found as [string, number][])).toEqual(model);
      }),
    );
  });
});
