import { describe, expect, it } from 'vitest';
import { canonicalAddress } from '../../src/endpoint/address.js';
import { PublicAddressError, readGuard, screen } from '../../src/endpoint/guard.js';

const PRIVATE = [
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '::1',
  'fc00::1',
  'fd12:3456::1',
];
const PUBLIC = [
  '75.101.137.243',
  '172.15.0.1',
  '172.32.0.1',
  '192.169.0.1',
  '100.63.0.1',
  '100.128.0.1',
  '2600:1f18::1',
];
/** They lead to servers as any other address does. */
const TRANSLATED = ['64:ff9b::10.0.0.1', '2002:0a00:1::1', '2600:a9fe:a9fe::1', '2600:1f18::a9fe:a9fe'];
const NEVER = [
  '169.254.169.254',
  '169.254.169.253',
  'fd00:ec2::254',
  'fe80::1',
  '0.0.0.0',
  '::',
  '224.0.0.1',
  '255.255.255.255',
  'ff02::1',
  // The metadata address as IPv6 carries it: NAT64 with the well-known and with local prefixes, 6to4, Teredo's client and
  // server, IPv4-compatible, IPv4-translated, ISATAP.
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::169.254.169.254',
  '64:ff9b:1::a9fe:a9fe',
  '64:ff9b:1:a9fe:a9:fe00::',
  '64:ff9b:1:a9:fe:a9fe::',
  '64:ff9b:1::a9:fea9:fe00:0',
  '2002:a9fe:a9fe::1',
  '2001:0:0a00:1::5601:5601',
  '2001:0:a9fe:a9fe::1',
  '::a9fe:a9fe',
  '::ffff:0:a9fe:a9fe',
  '2600:1f18::5efe:a9fe:a9fe',
  '2600:1f18::200:5efe:a9fe:a9fe',
  // And "this host", which Linux dials as loopback.
  '64:ff9b::0.0.0.0',
];
const guard = (value?: unknown) => readGuard(value, 'follow.allow');

describe('the guard', () => {
  it.each(PRIVATE)('lets %s be dialled by default', (address) => {
    expect(guard().allows(address)).toBe(true);
    expect(guard('private').allows(address)).toBe(true);
  });

  it.each(PUBLIC)('refuses %s by default, and not where any address is allowed', (address) => {
    expect(guard().allows(address)).toBe(false);
    expect(guard('any').allows(address)).toBe(true);
  });

  it.each(TRANSLATED)(
    'refuses %s by default, and not where any address is allowed: what it carries may be dialled',
    (address) => {
      const canonical = canonicalAddress(address)!;
      expect([guard().allows(canonical), guard('any').allows(canonical)]).toEqual([false, true]);
    },
  );

  it.each(NEVER.map((address) => canonicalAddress(address)!))('refuses %s whatever is allowed', (address) => {
    expect(guard('any').allows(address)).toBe(false);
    expect(guard(['0.0.0.0/0', '::/0']).allows(address)).toBe(false);
  });

  it('allows the ranges of a list, and the private ones only where the list says so', () => {
    const own = guard(['75.101.0.0/16']);
    expect([own.allows('75.101.137.243'), own.allows('75.102.0.1'), own.allows('10.0.0.1')]).toEqual([
      true,
      false,
      false,
    ]);
    const both = guard(['private', '75.101.137.243']);
    expect([both.allows('75.101.137.243'), both.allows('75.101.137.244'), both.allows('10.0.0.1')]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('splits an answer in two, each in its order', () => {
    expect(screen(['8.8.8.8', '10.0.0.2', '169.254.169.254', '10.0.0.1'], guard())).toEqual({
      allowed: ['10.0.0.2', '10.0.0.1'],
      refused: ['8.8.8.8', '169.254.169.254'],
    });
  });
});

describe('the error of a public answer', () => {
  const elastic = 'ec2-75-101-137-243.compute-1.amazonaws.com';

  it('names the name, the address, and the option with which it would be allowed', () => {
    const error = new PublicAddressError('db.example.com', ['75.101.137.243'], []);
    expect(error).toMatchObject({
      code: 'PUBLIC_ADDRESS',
      name: 'PublicAddressError',
      addresses: ['75.101.137.243'],
    });
    expect(error.message).toContain('db.example.com answered 75.101.137.243');
    expect(error.message).toContain("follow.allow, e.g. ['private', '75.101.137.243']");
    expect(error.message).toContain("may be someone else's by now");
  });

  it.each([
    [elastic, []],
    ['db.example.com', [elastic]],
  ])('of %s that leads to %j says that the name encodes that very address', (name, chain) => {
    const { message } = new PublicAddressError(name, ['75.101.137.243'], chain);
    expect(message).toContain(`${elastic} encodes this very address`);
    expect(message).toContain('enableDnsHostnames');
  });

  it('does not where the name encodes another address', () => {
    expect(new PublicAddressError(elastic, ['8.8.8.8'], []).message).not.toContain('encodes');
  });
});
