import { setMaxListeners } from 'node:events';
import { setImmediate, systemClock } from '../../clock.js';
import { codeOf, EipPoolError } from '../../errors.js';
import type { Resolution, Resolver, ServerWord, SomeHelp } from '../answer.js';
import { isWaitedFor, type PacketBudget, type Urgency } from '../packet-budget.js';
import { nameService } from '../system/name-service.js';
import { cnameChain } from './cname-chain.js';
import { FamilyRecords, type FamilyQuestion, type Outcome } from './dns-family.js';
import { queryCname, queryRecords, type Records } from './dns-query.js';
import { type Round, Servers } from './servers.js';

export type Family = 0 | 4 | 6;

/** How long the other family and the CNAME chain are waited for once an address is known (RFC 8305, section 3). */
const BESIDE_MILLIS = 50;
/** They pass in so many steps, each of which counts for no more than its share, however long the event loop stood still. */
const PAUSE_STEPS = 5;
/** While nothing is known yet: after this the next server is asked, or the same one again; then after twice that, … */
const FIRST_SHARE_MILLIS = 300;
/** However slow they are: so much. */
const SLOWEST_TIMES = 10;
/** Where answers have become slow, questions get so much more time at most, until one tells how slow. */
const SLOWER_TIMES = 3;

export interface DnsOptions {
  /** `address` or `address:port`, in the order in which they are asked; empty: those of resolv.conf. */
  readonly servers: readonly string[];
  readonly family: Family;
  readonly timeoutMillis: number;
  readonly budget: PacketBudget;
  /** What is known of the servers. @defaultValue nothing yet */
  readonly known?: Servers | undefined;
  /** How long the first answer may take. @defaultValue timeoutMillis */
  readonly firstMillis?: number | undefined;
  /** How long the rest is waited for once an address is known. @defaultValue 50 */
  readonly besideMillis?: number | undefined;
}

/** One call of `resolve`. */
interface Asking {
  readonly name: string;
  readonly urgency: Urgency;
  /** Aborts when it is decided; the other one when nobody follows the name any more. */
  readonly signal: AbortSignal;
  readonly following: AbortSignal;
  readonly help: SomeHelp;
  readonly isFirst: boolean;
  /** What a server said after its share of the time. */
  readonly onLate: (word: ServerWord) => void;
  /** An address is known: resolves when nothing else is waited for any more. */
  readonly enough: () => Promise<void>;
  /** What was found out of the servers that gave no answer in this round. */
  readonly met: { silence: boolean; noSuchName: unknown };
}

/**
 * Asks DNS servers itself: A and AAAA with their TTL. Each server is asked on its own, because c-ares goes to the next one
 * only after a time-out, not after SERVFAIL, REFUSED or NXDOMAIN. An address that is known is used: neither the other
 * family nor the CNAME chain is waited for, but for a moment.
 */
export class DnsResolver implements Resolver {
  readonly name: string = 'dns';
  readonly overlapping: boolean = true;
  readonly keepsTime: boolean = true;
  readonly sharedAs: string;
  readonly #options: DnsOptions;
  readonly #firstMillis: number;
  readonly #families: readonly FamilyRecords[];
  readonly #servers: Servers;
  #hasAnswered = false;
  /** How long a question may take, over all servers. */
  #patienceMillis: number;
  #chain: readonly string[] = [];
  #chainOf = '';

  constructor(options: DnsOptions) {
    const { servers, family, timeoutMillis, budget, known, firstMillis } = options;
    this.#options = options;
    this.#firstMillis = firstMillis ?? timeoutMillis;
    this.#families = (family === 0 ? ([4, 6] as const) : [family]).map((each) => new FamilyRecords(each, budget));
    this.#servers = known ?? new Servers();
    this.#patienceMillis = timeoutMillis;
    this.sharedAs = ['dns', family, ...servers].join(' ');
  }

  async resolve(name: string, signal: AbortSignal, help: SomeHelp = {}): Promise<Resolution> {
    signal.throwIfAborted();
    const over = new AbortController();
    const { urgency = 'awaited', following = signal } = help;
    const isFirst = !this.#hasAnswered;
    const own = AbortSignal.any([signal, over.signal]);
    // Each packet under way listens.
    setMaxListeners(0, own);
    let onLate: Asking['onLate'] = () => {};
    const late = new Promise<Round>((resolve) => {
      onLate = (word) => resolve({ word, others: [], silent: [] });
    });
    const asking: Asking = {
      ...{ name, urgency, following, help, isFirst, onLate, met: { silence: false, noSuchName: undefined } },
      signal: own,
      enough: once(async () => await pause(this.#options.besideMillis ?? BESIDE_MILLIS, urgency)),
    };
    try {
      const round = await Promise.race([isFirst ? this.#firstRound(asking) : this.#round(asking), late]);
      this.#noteAnswer(round);
      const chain = this.#followChain(round, asking);
      if (isFirst) {
        help.early?.(this.#resolution(round));
        await Promise.race([chain, asking.enough()]);
      }
      return { ...this.#resolution(round), chain: this.#chain };
    } catch (error) {
      if (codeOf(error) === 'LOOKUP_TIMEOUT') this.#noteSilence();
      throw error;
    } finally {
      over.abort();
    }
  }

  /** The CNAME chain alone, for the reader of a message; empty when it cannot be found out. */
  async chain(name: string, signal: AbortSignal): Promise<readonly string[]> {
    await this.#findChain(name, 'awaited', signal);
    return this.#chain;
  }

  /** While nothing is known, what is lost is asked again, and a late answer is taken. */
  async #firstRound(asking: Asking): Promise<Round> {
    const { timeoutMillis } = this.#options;
    for (let leftMillis = this.#firstMillis; ;) {
      const roundMillis = Math.min(timeoutMillis, FIRST_SHARE_MILLIS * this.#configured().length, leftMillis);
      asking.met.silence = false;
      try {
        return await this.#round(asking, roundMillis);
      } catch (error) {
        leftMillis -= roundMillis;
        const { silence, noSuchName } = asking.met;
        // Who says that there is no such name has answered; who fails has not, while others may be slow.
        if (noSuchName !== undefined) throw noSuchName;
        if (!silence || asking.signal.aborted) throw error;
        if (leftMillis <= 0) throw firstSilence(this.#configured(), this.#firstMillis);
      }
    }
  }

  /** The first server whose answer is not doubted; the next one is asked after an error, or after its share of the time. */
  async #round(asking: Asking, timeoutMillis: number = this.#patienceMillis): Promise<Round> {
    const { name, signal, help } = asking;
    const servers = this.#configured();
    if (servers.length === 0)
      throw new EipPoolError('NO_ADDRESS', `${name}: no DNS server is configured; set follow.servers`);
    return await this.#servers.ask({
      name,
      servers,
      timeoutMillis,
      signal,
      ask: async (server, share) => wordOf(server, await this.#askFamilies(server, share, asking)),
      askBeside: async (server, share) => wordOf(server, await this.#askBeside(server, share, asking)),
      doubts: (round) => help.doubts?.(this.#resolution(round)) ?? false,
    });
  }

  #resolution({ word, others, silent }: Round): Resolution {
    const { server, addresses, ttlSeconds } = word;
    return { addresses, ttlSeconds, from: `dns ${server}`, server, servers: this.#configured(), others, silent };
  }

  #configured(): readonly string[] {
    const { servers } = this.#options;
    return servers.length > 0 ? servers : nameService().servers;
  }

  /** To know what it says, when nothing more urgent is asked. Nothing that it says becomes the answer. */
  async #askBeside(server: string, timeoutMillis: number, { name, following }: Asking): Promise<readonly Records[]> {
    const known = this.#families.filter(({ hasAddresses: isKnown }) => isKnown);
    const questions = known.map(({ family }) =>
      this.#options.budget.ask({ to: server }, (signal) =>
        queryRecords(name, family, { server, timeoutMillis, signal }),
      ),
    );
    return await Promise.all(questions.map((question) => question.wait('periodic', following)));
  }

  async #askFamilies(server: string, shareMillis: number, asking: Asking): Promise<readonly Records[]> {
    const ask = async (family: FamilyRecords, changes: Partial<FamilyQuestion> = {}): Promise<Outcome> =>
      await family.ask({ ...this.#familyQuestion(server, shareMillis, asking), ...changes });
    const known = this.#families.filter(({ hasAddresses: isKnown }) => isKnown);
    const others = this.#families.filter((family) => !known.includes(family));
    const beside = known.length > 0 ? others.filter(({ isDue }) => isDue) : [];
    // One of which nothing has been heard is asked beside those that answer, and not waited for.
    for (const family of beside) void ask(family, { urgency: 'periodic', signal: asking.following });
    // One that answered empty is asked again for somebody new, or when the other one has nothing either.
    const again = asking.help.isFirst === true ? others.filter(({ last }) => last !== undefined) : [];
    const aside = others.filter((family) => !again.includes(family));
    const asked =
      known.length > 0
        ? [...known, ...again].map((family) => ask(family))
        : inTurn(this.#families, ask, asking.urgency);
    const outcomes = await this.#gather(server, asked, asking);
    if (known.length > 0 && outcomes.every(isEmpty))
      outcomes.push(...(await Promise.all(aside.map((family) => ask(family)))));
    const failed = outcomes.find((outcome) => outcome.kind === 'failed');
    // An error is no answer: without a single address from this question it must not look like an empty one.
    if (failed !== undefined && !outcomes.some(hasAddresses)) throw this.#noteFailure(failed.error, asking);
    return this.#families.flatMap((family) => stillTrue(family, outcomes) ?? []);
  }

  #familyQuestion(server: string, shareMillis: number, asking: Asking): FamilyQuestion {
    const { name, urgency, signal, isFirst, onLate } = asking;
    return {
      ...{ name, server, shareMillis, urgency, signal },
      openMillis: isFirst ? this.#firstMillis : shareMillis,
      onLate: (records) => {
        if (isFirst && records.addresses.length > 0) onLate(wordOf(server, [records]));
      },
    };
  }

  /** All of them; or, a moment after the first that has addresses, those that have answered by then. */
  async #gather(
    server: string,
    asked: readonly Promise<Outcome>[],
    { isFirst, help, enough }: Asking,
  ): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    const all = Promise.all(asked.map(async (each) => void outcomes.push(await each)));
    const none = new Error('no addresses');
    const some = Promise.any(asked.map(async (each) => hasAddresses(await each) || Promise.reject(none)));
    await Promise.race([all, some.catch(() => all)]);
    if (outcomes.length < asked.length) {
      const records = outcomes.flatMap((outcome) => (outcome.kind === 'records' ? outcome.records : []));
      if (isFirst) help.early?.(this.#resolution({ word: wordOf(server, records), others: [], silent: [] }));
      await Promise.race([all, enough()]);
    }
    return [...outcomes];
  }

  #noteFailure(error: unknown, { met }: Asking): unknown {
    if (codeOf(error) === 'LOOKUP_TIMEOUT') met.silence = true;
    if (codeOf(error) === 'ENOTFOUND') met.noSuchName ??= error;
    return error;
  }

  #noteAnswer({ word }: Round): void {
    const { timeoutMillis } = this.#options;
    if (word.addresses.length > 0) this.#hasAnswered = true;
    const slowest = Math.max(...this.#families.map(({ lastMillis }) => lastMillis));
    this.#patienceMillis = Math.min(SLOWEST_TIMES * timeoutMillis, Math.max(timeoutMillis, 2 * slowest));
  }

  #noteSilence(): void {
    const most = SLOWER_TIMES * this.#options.timeoutMillis;
    this.#patienceMillis = Math.max(this.#patienceMillis, Math.min(most, 2 * this.#patienceMillis));
  }

  /** The chain may be another one when the addresses are. It never holds up an address. */
  async #followChain({ word }: Round, { name, following }: Asking): Promise<void> {
    const key = word.addresses.toSorted().join();
    if (key === this.#chainOf) return;
    this.#chainOf = key;
    // Those of many new names must hold up none that fails.
    await this.#findChain(name, 'periodic', following);
  }

  async #findChain(name: string, urgency: Urgency, signal: AbortSignal): Promise<void> {
    const { timeoutMillis, budget } = this.#options;
    const server = this.#servers.first(this.#configured());
    if (server === undefined) return;
    const chain = await cnameChain(name, signal, async (alias) => {
      const question = budget.ask({ to: server }, (leaving) =>
        queryCname(alias, { server, timeoutMillis, signal: leaving }),
      );
      return await question.wait(urgency, signal);
    });
    if (chain !== null) this.#chain = chain;
  }
}

/** The second family as soon as the first has answered, or is slow: so a name that does not exist takes one packet. */
function inTurn(
  [one, two]: readonly FamilyRecords[],
  ask: (family: FamilyRecords) => Promise<Outcome>,
  urgency: Urgency,
): readonly Promise<Outcome>[] {
  if (one === undefined) return [];
  const first = ask(one);
  if (two === undefined) return [first];
  const second = Promise.race([first, pause(BESIDE_MILLIS, urgency)]).then((outcome) =>
    outcome?.kind === 'failed' && codeOf(outcome.error) === 'ENOTFOUND' ? outcome : ask(two),
  );
  return [first, second];
}

/** Where one family cannot be asked, the other one's answer stands beside what was last known of it. */
function stillTrue({ family, last }: FamilyRecords, outcomes: readonly Outcome[]): Records | undefined {
  const outcome = outcomes.find((each) => each.family === family);
  return outcome?.kind === 'records' ? outcome.records : last;
}

function wordOf(server: string, records: readonly Records[]): ServerWord {
  const ttls = records.flatMap(({ ttlSeconds }) => ttlSeconds ?? []);
  const addresses = records.flatMap((each) => each.addresses);
  return { server, addresses, ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls) };
}

function hasAddresses(outcome: Outcome): boolean {
  return outcome.kind === 'records' && outcome.records.addresses.length > 0;
}

function isEmpty(outcome: Outcome): boolean {
  return outcome.kind === 'records' && outcome.records.addresses.length === 0;
}

function firstSilence(servers: readonly string[], millis: number): EipPoolError {
  const who = servers.length === 1 ? `DNS server ${servers[0]}` : `none of the DNS servers ${servers.join(', ')}`;
  const what = servers.length === 1 ? 'gave no answer' : 'gave an answer';
  return new EipPoolError(
    'LOOKUP_TIMEOUT',
    `${who} ${what} within ${millis} ms, the time of a first answer; it grows with follow.lookupTimeoutMillis`,
  );
}

/** Resolves after a while in which the event loop could have read an answer: a busy start is no fault of DNS. */
async function pause(millis: number, urgency: Urgency): Promise<undefined> {
  const set = isWaitedFor(urgency) ? systemClock.setAwaited : systemClock.set;
  for (let step = 0; step < PAUSE_STEPS; step++) {
    await new Promise<void>((resolve) => set(() => void setImmediate(resolve), millis / PAUSE_STEPS));
  }
  return undefined;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
