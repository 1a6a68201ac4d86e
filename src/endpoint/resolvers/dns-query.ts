import dns from 'node:dns';
import { setImmediate, systemClock } from '../../clock.js';
import { codeOf, EipPoolError } from '../../errors.js';

export type RecordFamily = 4 | 6;

/** One family's records as one server gave them; no records is an answer too. */
export interface Records {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number | undefined;
}

interface Query {
  readonly server: string;
  readonly timeoutMillis: number;
  /** Nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export async function queryRecords(name: string, family: RecordFamily, query: Query): Promise<Records> {
  try {
    const records = await send(query, (resolver) =>
      family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }),
    );
    const ttls = records.map((record) => record.ttl);
    return {
      addresses: records.map((record) => record.address),
      ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls),
    };
  } catch (error) {
    if (codeOf(error) === 'ENODATA') return { addresses: [], ttlSeconds: undefined };
    throw error;
  }
}

export async function queryCname(alias: string, query: Query): Promise<readonly string[]> {
  return await send(query, (resolver) => resolver.resolveCname(alias));
}

/**
 * One question to one server, for no longer than this. It takes a fresh c-ares resolver, because Node 20.16 to 20.19, 22.4 to
 * 22.16 and 23 to 24.1 cache answers inside one.
 */
async function send<T>(
  { server, timeoutMillis, signal }: Query,
  ask: (resolver: dns.promises.Resolver) => Promise<T>,
): Promise<T> {
  // c-ares takes its time-out for a hint, and grants each TCP try another one: ours comes first.
  const resolver = new dns.promises.Resolver({ timeout: 2 * timeoutMillis, tries: 1 });
  resolver.setServers([server]);
  const cancel = (): void => resolver.cancel();
  // An answer that has come to a busy process is read first.
  const timer = systemClock.set(() => void setImmediate(cancel), timeoutMillis);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await ask(resolver);
  } catch (error) {
    if (codeOf(error) !== 'ECANCELLED' && codeOf(error) !== 'ETIMEOUT') throw error;
    throw silence(server, timeoutMillis);
  } finally {
    systemClock.clear(timer);
    signal.removeEventListener('abort', cancel);
  }
}

export function silence(server: string, millis: number): EipPoolError {
  return new EipPoolError(
    'LOOKUP_TIMEOUT',
    `DNS server ${server} gave no answer within ${millis} ms (follow.lookupTimeoutMillis)`,
  );
}
