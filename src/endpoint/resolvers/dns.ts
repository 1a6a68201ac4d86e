import dns from 'node:dns';
import { EipPoolError } from '../../errors.js';
import type { Resolution, Resolver } from '../answer.js';
import type { PacketBudget } from '../packet-budget.js';
import { cnameChain } from './cname-chain.js';

export type Family = 0 | 4 | 6;

/** Packets of a second that are left for addresses when a chain is asked. */
const RESERVED = 4;
type RecordFamily = 4 | 6;

export interface DnsOptions {
  /** `address` or `address:port`, in the order in which they are asked; empty: those of resolv.conf. */
  readonly servers: readonly string[];
  readonly family: Family;
  readonly timeoutMillis: number;
  readonly budget: PacketBudget;
}

/** One family's records as one server gave them; no records is an answer too. */
interface Records {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number | undefined;
  readonly server: string;
}

type Outcome =
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'failed'; readonly family: RecordFamily; readonly error: unknown };

/**
 * Asks DNS servers itself: A and AAAA with their TTL. Each question takes a fresh c-ares resolver, because Node 20.16
 * to 20.19, 22.4 to 22.16 and 23 to 24.1 cache answers inside one; and each server is asked on its own, because c-ares
 * goes to the next one only after a time-out, not after SERVFAIL, REFUSED or NXDOMAIN.
 */
export class DnsResolver implements Resolver {
  readonly name: string = 'dns';
  readonly overlapping: boolean = true;
  readonly keepsTime: boolean = true;
  readonly #options: DnsOptions;
  /** The last records of each family: what stays true while that family cannot be asked. */
  readonly #last: Map<RecordFamily, Records> = new Map();
  readonly #lastAsked: Map<RecordFamily, number> = new Map();
  #asked = 0;
  /** The server that answered last is asked first. */
  #preferred: string | undefined;
  #chain: readonly string[] = [];
  #chainOf = '';

  constructor(options: DnsOptions) {
    this.#options = options;
  }

  async resolve(name: string, signal: AbortSignal): Promise<Resolution> {
    const first = this.#last.size === 0;
    const asking = this.#askFamilies(name, signal);
    const chain = first ? this.#findChain(name, this.#brief(signal), RESERVED) : undefined;
    const answers = await asking;
    const addresses = answers.flatMap((records) => records.addresses);
    const ttls = answers.flatMap((records) => records.ttlSeconds ?? []);
    const key = addresses.toSorted().join();
    if (first) await chain;
    else if (key !== this.#chainOf) void this.#findChain(name, this.#brief(signal), RESERVED);
    this.#chainOf = key;
    return {
      addresses,
      ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls),
      chain: this.#chain,
      from: `dns ${[...new Set(answers.map((records) => records.server))].join(', ')}`,
    };
  }

  async #askFamilies(name: string, signal: AbortSignal): Promise<Records[]> {
    const wanted: readonly RecordFamily[] = this.#options.family === 0 ? [4, 6] : [this.#options.family];
    const alive = wanted.filter((family) => this.#last.get(family)?.addresses.length !== 0);
    const asked = alive.length === 0 ? wanted : alive;
    const outcomes = await this.#ask(name, asked, signal);
    const empty = outcomes.every((outcome) => outcome.kind === 'records' && !hasAddresses(outcome));
    const rest = wanted.filter((family) => !asked.includes(family));
    // A family that answered empty is asked again only when the other one has nothing either.
    if (empty && rest.length > 0) outcomes.push(...(await this.#ask(name, rest, signal)));

    const failed = outcomes.find((outcome) => outcome.kind === 'failed');
    const known = outcomes.flatMap((outcome) => this.#stillTrue(outcome));
    // An error is no answer: without a single address from this question it must not look like an empty one.
    if (failed !== undefined && !outcomes.some(hasAddresses)) throw failed.error;
    return known;
  }

  #ask(name: string, families: readonly RecordFamily[], signal: AbortSignal): Promise<Outcome[]> {
    return Promise.all(
      families.map(async (family): Promise<Outcome> => {
        const asked = ++this.#asked;
        try {
          const records = await this.#askServers(name, family, signal);
          // A reply that was overtaken by that of a later question is of the past.
          if ((this.#lastAsked.get(family) ?? 0) < asked) {
            this.#lastAsked.set(family, asked);
            this.#last.set(family, records);
          }
          return { kind: 'records', records };
        } catch (error) {
          return { kind: 'failed', family, error };
        }
      }),
    );
  }

  /** Where one family cannot be asked, the other one's answer stands beside what was last known of it. */
  #stillTrue(outcome: Outcome): Records[] {
    if (outcome.kind === 'records') return [outcome.records];
    const last = this.#last.get(outcome.family);
    return last === undefined ? [] : [last];
  }

  /** The first server that answers; the next one is asked after an error, or after its share of the time. */
  async #askServers(name: string, family: RecordFamily, signal: AbortSignal): Promise<Records> {
    const { servers, timeoutMillis } = this.#options;
    const known = servers.length > 0 ? servers : dns.getServers();
    const order = known.toSorted((a, b) => Number(b === this.#preferred) - Number(a === this.#preferred));
    const share = Math.max(1, Math.floor(timeoutMillis / Math.max(1, order.length)));
    let failure: unknown = new EipPoolError('NO_ADDRESS', `${name}: no DNS server is configured; set follow.servers`);
    for (const server of order) {
      try {
        const records = await this.#askServer(name, family, server, share, signal);
        this.#preferred = server;
        return records;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  async #askServer(
    name: string,
    family: RecordFamily,
    server: string,
    timeoutMillis: number,
    signal: AbortSignal,
  ): Promise<Records> {
    const key = [server, name, family, timeoutMillis].join(' ');
    const asked = this.#options.budget.ask(key, () => askRecords(name, family, server, timeoutMillis));
    return await untilAborted(asked, signal);
  }

  /** For the reader of a message, so it waits for its turn; empty when it cannot be found out. */
  async chain(name: string, signal: AbortSignal): Promise<readonly string[]> {
    await this.#findChain(name, signal, null);
    return this.#chain;
  }

  /** A chain never holds up an address: where packets are short it is left for another time. */
  async #findChain(name: string, signal: AbortSignal, reserve: number | null): Promise<void> {
    const { timeoutMillis, servers, budget } = this.#options;
    const server = this.#preferred ?? servers[0] ?? dns.getServers()[0];
    if (server === undefined) return;
    const maySend = async (): Promise<boolean> => {
      if (reserve !== null) return budget.tryTake(reserve);
      await untilAborted(budget.take(), signal);
      return true;
    };
    const chain = await cnameChain(name, maySend, signal, (alias) =>
      untilAborted(
        question(server, timeoutMillis, (resolver) => resolver.resolveCname(alias)),
        signal,
      ),
    );
    if (chain !== null) this.#chain = chain;
  }

  #brief(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(this.#options.timeoutMillis / 4))]);
  }
}

async function askRecords(name: string, family: RecordFamily, server: string, timeoutMillis: number): Promise<Records> {
  try {
    const records = await question(server, timeoutMillis, (resolver) =>
      family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }),
    );
    const ttls = records.map((record) => record.ttl);
    return {
      addresses: records.map((record) => record.address),
      ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls),
      server,
    };
  } catch (error) {
    if (codeOf(error) === 'ENODATA') return { addresses: [], ttlSeconds: undefined, server };
    throw error;
  }
}

/** One question to one server, with a resolver of its own, for no longer than this. */
async function question<T>(
  server: string,
  timeoutMillis: number,
  ask: (resolver: dns.promises.Resolver) => Promise<T>,
): Promise<T> {
  const resolver = new dns.promises.Resolver({ timeout: timeoutMillis, tries: 1 });
  resolver.setServers([server]);
  // c-ares takes its time-out for a hint, and grants each TCP try another one.
  const timer = setTimeout(() => resolver.cancel(), timeoutMillis).unref();
  try {
    return await ask(resolver);
  } catch (error) {
    if (codeOf(error) !== 'ECANCELLED' && codeOf(error) !== 'ETIMEOUT') throw error;
    throw new EipPoolError('LOOKUP_TIMEOUT', `DNS server ${server} gave no answer within ${timeoutMillis} ms`);
  } finally {
    clearTimeout(timer);
  }
}

/** Others may wait for the same work, so it goes on when this one gives up. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function hasAddresses(outcome: Outcome): boolean {
  return outcome.kind === 'records' && outcome.records.addresses.length > 0;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
