import { isIP } from 'node:net';

/** hosts(5): which names have an address in it. Its addresses themselves are the system's to read. */
export class HostsFile {
  readonly #families: Map<string, Set<4 | 6>> = new Map();

  constructor(text: string) {
    for (const line of text.split('\n')) this.#readLine(line);
  }

  /** A name with a final dot is another one, as for glibc. 0: of any family. */
  has(name: string, family: 0 | 4 | 6): boolean {
    const families = this.#families.get(name.toLowerCase());
    return families !== undefined && (family === 0 || families.has(family));
  }

  #readLine(line: string): void {
    const [text = ''] = line.split('#');
    const [address = '', ...names] = text.trim().split(/\s+/);
    const version = isIP(address.split('%')[0] ?? '');
    if (version === 0) return;
    // An IPv4 address in IPv6 notation, and the IPv6 loopback, are found as IPv4 too.
    const both = /^::(1|ffff:[\d.]+)$/i.test(address);
    for (const name of names) {
      const key = name.toLowerCase();
      const families = this.#families.get(key) ?? new Set();
      families.add(version === 4 ? 4 : 6);
      if (both) families.add(4);
      this.#families.set(key, families);
    }
  }
}
