import dns from 'node:dns';
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import { canonicalSpelling } from '../name.js';
import { type HostService, readHostServices } from './host-services.js';
import { HostsFile } from './hosts-file.js';
import { formsOf, readSearchRules, type SearchRules } from './resolv-conf.js';

/** Where the system's own lookup, and so every driver, would find a name. */
export type Whereabouts =
  /** Not in DNS: in the hosts file, or nowhere. */
  | { readonly kind: 'system' }
  /** In DNS, under the first of these names that has an address. */
  | { readonly kind: 'dns'; readonly forms: readonly string[] }
  /** In DNS, unless a service that stands before it knows the name: that one only the system can ask. */
  | { readonly kind: 'either'; readonly forms: readonly string[] };

/** The system's configuration files; a path that does not exist is an empty file. */
export interface SystemFiles {
  readonly hosts: string;
  readonly nsswitch: string;
  readonly resolvConf: string;
}

const WINDOWS_HOSTS: string = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'drivers', 'etc', 'hosts');
const FILES: SystemFiles = {
  hosts: process.platform === 'win32' ? WINDOWS_HOSTS : '/etc/hosts',
  nsswitch: '/etc/nsswitch.conf',
  resolvConf: '/etc/resolv.conf',
};

/** A change of a file is noticed this late. */
const LOOK_EVERY_MILLIS = 500;

/** What one file says, read anew when it has changed. */
class Watched<T> {
  readonly #path: string;
  readonly #read: (text: string) => T;
  #stamp = '';
  #value: T;

  constructor(path: string, read: (text: string) => T) {
    [this.#path, this.#read] = [path, read];
    this.#value = read('');
  }

  get value(): T {
    return this.#value;
  }

  look(): void {
    try {
      const stat = statSync(this.#path, { throwIfNoEntry: false });
      const stamp = stat === undefined ? '' : [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ');
      if (stamp === this.#stamp) return;
      this.#value = this.#read(stat === undefined ? '' : readFileSync(this.#path, 'utf8'));
      this.#stamp = stamp;
    } catch {
      // It is being replaced, or may not be read: what it said last stays.
    }
  }
}

/**
 * What the system's files say of names: nsswitch.conf, the hosts file and resolv.conf. On a platform whose lookup is not
 * known, any name may be known to a service of its own.
 */
export class NameService {
  readonly #clock: Clock;
  readonly #isKnown: boolean;
  readonly #services: Watched<readonly HostService[]>;
  readonly #hosts: Watched<HostsFile>;
  readonly #search: Watched<SearchRules>;
  readonly #servers: Watched<readonly string[]>;
  /** What `dns.getServers()` says if the application has not set them. */
  readonly #unset: string;
  #lookedAt = -Infinity;

  constructor(clock: Clock = systemClock, files: SystemFiles = FILES, platform: NodeJS.Platform = process.platform) {
    this.#clock = clock;
    this.#isKnown = platform === 'linux';
    this.#services = new Watched(files.nsswitch, readHostServices);
    this.#hosts = new Watched(files.hosts, (text) => new HostsFile(text));
    this.#search = new Watched(files.resolvConf, (text) =>
      readSearchRules(text, { hostname: hostname(), ...process.env }),
    );
    // c-ares reads the file by itself, but only when a resolver is made.
    this.#servers = new Watched(files.resolvConf, () => new dns.Resolver().getServers());
    this.#unset = this.#servers.value.join();
  }

  whereabouts(name: string, family: 0 | 4 | 6): Whereabouts {
    const asked = canonicalSpelling(name);
    // RFC 6761: `localhost` is the system's, and no DNS server is to be asked for it.
    if (/(^|\.)localhost\.?$/.test(asked)) return { kind: 'system' };
    this.#look();
    const forms = formsOf(asked, this.#search.value);
    let isSure = this.#isKnown;
    for (const service of this.#services.value) {
      if (service.name === 'dns') return { kind: isSure ? 'dns' : 'either', forms };
      if (service.name === 'files') {
        if (this.#hosts.value.has(asked, family)) return { kind: 'system' };
        if (service.isLast) return { kind: 'system' };
      } else if (mayKnow(service.name, asked)) {
        isSure = false;
      }
    }
    // DNS is not among them; perhaps a daemon that asks it for us is.
    return isSure ? { kind: 'system' } : { kind: 'either', forms };
  }

  /** The DNS servers of resolv.conf, as it is now; or those that the application has set with `dns.setServers()`. */
  get servers(): readonly string[] {
    this.#look();
    const set = dns.getServers();
    return set.join() === this.#unset ? this.#servers.value : set;
  }

  #look(): void {
    const now = this.#clock.now();
    if (now - this.#lookedAt < LOOK_EVERY_MILLIS) return;
    this.#lookedAt = now;
    for (const file of [this.#services, this.#hosts, this.#search, this.#servers]) file.look();
  }
}

let shared: NameService | undefined;

/** That of this process. */
export function nameService(): NameService {
  shared ??= new NameService();
  return shared;
}

/** Some services know only names of their own kind. */
function mayKnow(service: string, name: string): boolean {
  if (service.startsWith('mdns')) return /\.local\.?$/.test(name);
  if (service === 'myhostname') return [hostname().toLowerCase(), '_gateway', '_outbound'].includes(name);
  return true;
}
