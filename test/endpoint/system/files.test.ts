import { describe, expect, it } from 'vitest';
import { readHostServices } from '../../../src/endpoint/system/host-services.js';
import { HostsFile } from '../../../src/endpoint/system/hosts-file.js';
import { formsOf, readSearchRules } from '../../../src/endpoint/system/resolv-conf.js';

describe('the hosts file', () => {
  const hosts = new HostsFile(
    [
      '127.0.0.1 localhost',
      '10.0.0.5\tdb.example.com  DB   # the database',
      '  fd00::5   six.example.com',
      '::1 loop',
      '::ffff:10.0.0.7 mapped',
      'fe80::1%eth0 scoped',
      '#10.0.0.6 commented',
      '10.0.0.256 wrong',
      '10.0.0.8',
      'nonsense',
    ].join('\n'),
  );

  it.each(['db.example.com', 'DB.Example.Com', 'db', 'six.example.com', 'scoped', 'mapped'])('knows %s', (name) => {
    expect(hosts.has(name, 0)).toBe(true);
  });

  it.each(['example.com', 'commented', 'wrong', 'nonsense', '', '#'])('does not know %j', (name) => {
    expect(hosts.has(name, 0)).toBe(false);
  });

  it('tells its families apart; a name with a final dot is another one', () => {
    expect([hosts.has('db', 4), hosts.has('db', 6), hosts.has('six.example.com', 4)]).toEqual([true, false, false]);
    expect([hosts.has('loop', 4), hosts.has('loop', 6), hosts.has('mapped', 4)]).toEqual([true, true, true]);
    expect(hosts.has('db.example.com.', 0)).toBe(false);
  });
});

describe('the search list', () => {
  const rules = (text: string, environment: object = {}) => readSearchRules(text, { hostname: 'vm', ...environment });

  it.each([
    ['', { domains: [], ndots: 1 }],
    ['nameserver 10.0.0.2\n', { domains: [], ndots: 1 }],
    ['search a.example b.example.\n', { domains: ['a.example', 'b.example'], ndots: 1 }],
    ['search a.example\ndomain b.example c.example\n', { domains: ['b.example'], ndots: 1 }],
    ['domain b.example\n  search a.example\n', { domains: ['a.example'], ndots: 1 }],
    ['options ndots:5 timeout:1\noptions rotate ndots:2', { domains: [], ndots: 2 }],
    ['options ndots:99', { domains: [], ndots: 15 }],
    ['search .', { domains: [''], ndots: 1 }],
    ['# search a.example\n; search b.example', { domains: [], ndots: 1 }],
  ])('of %j', (text, expected) => {
    expect(rules(text)).toEqual(expected);
  });

  it('is the domain of the machine where none is given, and what the environment says where it says anything', () => {
    expect(rules('', { hostname: 'vm.corp.example' }).domains).toEqual(['corp.example']);
    expect(rules('search a.example', { hostname: 'vm.corp.example' }).domains).toEqual(['a.example']);
    const environment = { LOCALDOMAIN: 'x.example y.example', RES_OPTIONS: 'ndots:3' };
    expect(rules('search a.example\noptions ndots:5', environment)).toEqual({
      domains: ['x.example', 'y.example'],
      ndots: 3,
    });
  });

  it.each([
    ['db', 1, ['db.a.example', 'db.b.example', 'db']],
    ['db.example.com', 1, ['db.example.com', 'db.example.com.a.example', 'db.example.com.b.example']],
    ['postgres.dev', 5, ['postgres.dev.a.example', 'postgres.dev.b.example', 'postgres.dev']],
    ['db', 0, ['db', 'db.a.example', 'db.b.example']],
    ['db.', 5, ['db']],
    ['db.example.com.', 5, ['db.example.com']],
  ])('makes of %s with ndots %d: %j', (name, ndots, forms) => {
    expect(formsOf(name, { domains: ['a.example', 'b.example'], ndots })).toEqual(forms);
  });

  it('with the root in it asks for a name once, and for none that is too long', () => {
    expect(formsOf('db', { domains: ['', 'a.example'], ndots: 1 })).toEqual(['db', 'db.a.example']);
    const long = ['a'.repeat(60), 'b'.repeat(60), 'c'.repeat(60), 'd'.repeat(60)].join('.');
    expect(formsOf(long, { domains: ['corporation.example'], ndots: 1 })).toEqual([long]);
  });
});

describe('the services that know hosts', () => {
  const plain = ['files', 'dns'].map((name) => ({ name, isLast: false }));

  it.each([
    ['', plain],
    ['passwd: files\n', plain],
    ['hosts: files dns', plain],
    ['  hosts:\tfiles   dns # as ever', plain],
    ['hosts:', plain],
    ['hosts: dns files', plain.toReversed()],
    ['hosts: files [NOTFOUND=return] dns', [{ name: 'files', isLast: true }, plain[1]]],
    ['hosts: files [!UNAVAIL=return] dns', plain],
    ['hosts: files [SUCCESS=continue NOTFOUND=return] dns', [{ name: 'files', isLast: true }, plain[1]]],
    ['# hosts: dns\nhosts: files', [plain[0]]],
  ])('are those of %j', (text, expected) => {
    expect(readHostServices(text)).toEqual(expected);
  });
});
