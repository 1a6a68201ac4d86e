import dns from 'node:dns';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NameService } from '../../../src/endpoint/system/name-service.js';
import { FakeClock } from '../../fake-clock.js';

let folder: string;
let clock: FakeClock;
let names: NameService;
const write = (file: 'hosts' | 'nsswitch' | 'resolvConf', text: string): void =>
  writeFileSync(join(folder, file), text);
const make = (platform: NodeJS.Platform = 'linux'): void => {
  const files = {
    hosts: join(folder, 'hosts'),
    nsswitch: join(folder, 'nsswitch'),
    resolvConf: join(folder, 'resolvConf'),
  };
  names = new NameService(clock, files, platform);
};
const where = (name: string, family: 0 | 4 | 6 = 0) => names.whereabouts(name, family);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eip-pool-names-'));
  clock = new FakeClock();
  write('hosts', '10.0.0.5 db.example.com\nfd00::5 six.example.com\n10.0.0.6 xn--bcher-kva.example\n');
  write('resolvConf', 'search corp.example\n');
  make();
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a name', () => {
  const forms = ['app.example.com', 'app.example.com.corp.example'];

  it.each([
    ['in DNS', '', 'app.example.com', { kind: 'dns', forms }],
    ['with the system, in the hosts file', '', 'DB.example.com', { kind: 'system' }],
    ['with the system, in the hosts file under its IDNA form', '', 'Bücher.example', { kind: 'system' }],
    ['in DNS, with a final dot', '', 'db.example.com.', { kind: 'dns', forms: ['db.example.com'] }],
    ['with the system, as localhost', '', 'localhost', { kind: 'system' }],
    ['with the system, under localhost', '', 'App.LocalHost.', { kind: 'system' }],
    ['in DNS, where that is asked first', 'dns files', 'db.example.com', { kind: 'dns' }],
    [
      'with the system, where the hosts file is the last word',
      'files [NOTFOUND=return] dns',
      forms[0]!,
      { kind: 'system' },
    ],
    ['with the system, where there is no DNS', 'files', forms[0]!, { kind: 'system' }],
    [
      'with either, where a resolver daemon stands before DNS',
      'files resolve dns',
      forms[0]!,
      { kind: 'either', forms },
    ],
    ['with either, where there is only such a daemon', 'files resolve', forms[0]!, { kind: 'either', forms }],
    ['with the system, in the hosts file behind such a service', 'sss files dns', 'db.example.com', { kind: 'system' }],
    ['in DNS, though multicast DNS stands before it', 'files mdns4_minimal dns', forms[0]!, { kind: 'dns', forms }],
    ['with either, as one of multicast DNS', 'files mdns4_minimal dns', 'nas.local', { kind: 'either' }],
    [
      'in DNS, though the machine’s own name stands before it',
      'files myhostname dns',
      forms[0]!,
      { kind: 'dns', forms },
    ],
    ['with either, as the machine’s own', 'files myhostname dns', hostname(), { kind: 'either' }],
    ['in DNS, though it may be elsewhere after that', 'files dns mymachines', forms[0]!, { kind: 'dns', forms }],
  ])('is found %s', (_where, services, name, expected) => {
    if (services !== '') write('nsswitch', `hosts: ${services}\n`);
    expect(where(name)).toMatchObject(expected);
  });

  it('is in the hosts file only for the families that it has there', () => {
    expect([where('db.example.com', 4).kind, where('db.example.com', 6).kind]).toEqual(['system', 'dns']);
    expect([where('six.example.com', 4).kind, where('six.example.com', 6).kind]).toEqual(['dns', 'system']);
  });

  it.each(['darwin', 'win32'] as const)('may be known to services of its own on %s', (platform) => {
    make(platform);
    expect([where('app.example.com').kind, where('db.example.com').kind]).toEqual(['either', 'system']);
  });

  it('is in DNS as it is where there are no files at all', () => {
    rmSync(folder, { recursive: true });
    make();
    expect(where('db.example.com')).toMatchObject({ kind: 'dns' });
  });
});

describe('a file that changes', () => {
  it('is read anew, half a second later at the latest', async () => {
    expect(where('app.example.com').kind).toBe('dns');
    write('hosts', '10.0.0.9 app.example.com\n');
    expect(where('app.example.com').kind).toBe('dns');
    await clock.advance(500);
    expect(where('app.example.com').kind).toBe('system');
    write('resolvConf', 'search other.example\noptions ndots:3\n');
    write('hosts', '');
    await clock.advance(500);
    expect(where('app.example.com')).toEqual({
      kind: 'dns',
      forms: ['app.example.com.other.example', 'app.example.com'],
    });
  });

  it('is read anew where another is put in its place, and counts for nothing where it is gone', async () => {
    expect(where('db.example.com').kind).toBe('system');
    rmSync(join(folder, 'hosts'));
    await clock.advance(500);
    expect(where('db.example.com').kind).toBe('dns');
    writeFileSync(join(folder, 'new'), '10.0.0.5 db.example.com\n');
    renameSync(join(folder, 'new'), join(folder, 'hosts'));
    await clock.advance(500);
    expect(where('db.example.com').kind).toBe('system');
  });

  it('that may not be read leaves what it said last', async () => {
    expect(where('db.example.com').kind).toBe('system');
    rmSync(join(folder, 'hosts'));
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(folder, 'hosts'));
    await clock.advance(500);
    expect(where('db.example.com').kind).toBe('system');
  });
});

describe('the DNS servers', () => {
  const before = dns.getServers();
  afterEach(() => {
    dns.setServers(before);
  });

  it('are those of resolv.conf, or those that the application has set', () => {
    expect(names.servers).toEqual(new dns.Resolver().getServers());
    dns.setServers(['127.0.0.9:5353']);
    expect(names.servers).toEqual(['127.0.0.9:5353']);
    make();
    expect(names.servers).toEqual(['127.0.0.9:5353']);
  });
});
