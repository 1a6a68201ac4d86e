import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

type Callback = (error: NodeJS.ErrnoException | null, found?: string | dns.LookupAddress[], family?: number) => void;

/** What getaddrinfo makes of an answer that names nobody, and of no answer. */
const NOBODY: readonly string[] = ['ENODATA', 'ENOTFOUND'];

/**
 * Makes these DNS servers the machine's own for one name, so that a client under test needs no option to find the lab.
 * Like getaddrinfo it remembers nothing and waits 5 s for an answer, twice. Before the client is loaded.
 */
export function lookUpBy(servers: readonly string[], name: string): void {
  const original = dns.lookup as (...args: unknown[]) => void;
  const replaced = (hostname: string, ...rest: unknown[]): void => {
    if (hostname.toLowerCase() !== name.toLowerCase()) return original(hostname, ...rest);
    const callback = rest.at(-1) as Callback;
    const all = typeof rest[0] === 'object' && (rest[0] as dns.LookupOptions).all === true;
    resolve(servers, name).then(
      (found) => (all ? callback(null, found) : callback(null, found[0]!.address, 4)),
      (error: NodeJS.ErrnoException) => callback(error),
    );
  };
  dns.lookup = replaced as unknown as typeof dns.lookup;
  dns.promises.lookup = (async () => (await resolve(servers, name))[0]) as unknown as typeof dns.promises.lookup;
  syncBuiltinESMExports();
}

async function resolve(servers: readonly string[], hostname: string): Promise<dns.LookupAddress[]> {
  try {
    // A resolver of its own for each question: some versions of Node cache inside one.
    const resolver = new dns.promises.Resolver({ timeout: 5_000, tries: 2 });
    resolver.setServers(servers);
    const found = await resolver.resolve4(hostname);
    if (found.length > 0) return found.map((address) => ({ address, family: 4 }));
    throw Object.assign(new Error('no address'), { code: 'ENODATA' });
  } catch (error) {
    const code = NOBODY.includes(String((error as NodeJS.ErrnoException).code)) ? 'ENOTFOUND' : 'EAI_AGAIN';
    throw Object.assign(new Error(`getaddrinfo ${code} ${hostname}`), { code, syscall: 'getaddrinfo', hostname });
  }
}
