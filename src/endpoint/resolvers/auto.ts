import { type Clock, setImmediate } from '../../clock.js';
import { codeOf, EipPoolError } from '../../errors.js';
import { canonicalAddress, familyOf } from '../address.js';
import type { Resolution, Resolver, SomeHelp } from '../answer.js';
import { canonicalName } from '../name.js';
import type { Whereabouts } from '../system/name-service.js';

/** How long DNS, once asked, has the word alone at the start; a machine whose DNS servers are dead may know the name. */
const HEAD_START_MILLIS = 1_000;
/** How often it is looked whether DNS says what the system says, or whether another form of the name has come to be. */
const COMPARE_EVERY_MILLIS = 30_000;

/** A source that stands on its own feet. */
type Inner = Pick<Resolver, 'chain'> & {
  resolve(name: string, signal: AbortSignal, help?: SomeHelp): Promise<Resolution>;
};

export interface AutoOptions {
  /** Asks DNS for one form of the name. */
  readonly dns: () => Inner;
  readonly system: Inner;
  readonly whereabouts: (name: string) => Whereabouts;
  readonly clock: Clock;
  readonly sharedAs?: string | undefined;
}

/** An answer that knows the name, and the form of the name that DNS was asked for; null: the system said it. */
interface Found<Form extends string | null> {
  readonly form: Form;
  readonly resolution: Resolution;
}

interface Asking {
  readonly name: string;
  readonly forms: readonly string[];
  readonly signal: AbortSignal;
  readonly help: SomeHelp;
}

interface DnsChoice {
  readonly kind: 'dns';
  readonly form: string;
  readonly comparedAt: number;
  /** When it was asked last, there was no such name. */
  readonly isMissing: boolean;
}

/** Who is asked. An error never changes it, since a source that changes in an outage would look like a move. */
type Choice = { readonly kind: 'none' } | DnsChoice | { readonly kind: 'system'; readonly comparedAt: number };

/**
 * Goes where the driver would have gone. Where the system's own files send it to DNS, DNS is asked, with its TTL, its CNAMEs
 * and its budget; where they name an address, or a service that only the system can ask knows another one, the system is.
 */
export class AutoResolver implements Resolver {
  readonly overlapping: boolean = true;
  readonly keepsTime: boolean = true;
  readonly sharedAs: string | undefined;
  readonly #options: AutoOptions;
  readonly #forms: Map<string, Inner> = new Map();
  #where: Whereabouts | undefined;
  #choice: Choice = { kind: 'none' };

  constructor(options: AutoOptions) {
    this.#options = options;
    this.sharedAs = options.sharedAs;
  }

  get name(): string {
    return this.#choice.kind === 'none' ? 'dns or system' : this.#choice.kind;
  }

  async resolve(name: string, signal: AbortSignal, help: SomeHelp = {}): Promise<Resolution> {
    const where = this.#options.whereabouts(name);
    // The files have changed: drivers may go somewhere else now.
    if (!isSame(where, this.#where)) this.#choice = { kind: 'none' };
    this.#where = where;
    const asking: Asking = { name, signal, help, forms: where.kind === 'system' ? [] : where.forms };
    const choice = this.#choice;
    if (where.kind === 'system') return await this.#fromSystem(asking);
    if (choice.kind === 'none')
      return where.kind === 'dns' ? await this.#firstAnswer(asking) : await this.#compare(asking);
    const isDue = this.#options.clock.now() - choice.comparedAt >= COMPARE_EVERY_MILLIS;
    if (choice.kind === 'dns') return await this.#fromDns(asking, choice, isDue);
    return isDue ? await this.#compare(asking) : await this.#fromSystem(asking);
  }

  async chain(name: string, signal: AbortSignal): Promise<readonly string[]> {
    if (this.#choice.kind !== 'dns') return [];
    const { form } = this.#choice;
    return behind(name, form, await this.#form(form).chain?.(form, signal));
  }

  async #fromSystem({ name, signal, help }: Asking): Promise<Resolution> {
    const resolution = await this.#options.system.resolve(name, signal, help);
    if (this.#choice.kind === 'none' && resolution.addresses.length > 0) this.#choose('system');
    return resolution;
  }

  /** The form that is known; from time to time those that stand before it, and those behind it if it has gone. */
  async #fromDns(asking: Asking, choice: DnsChoice, isDue: boolean): Promise<Resolution> {
    const { forms } = asking;
    const end = choice.isMissing ? forms.length : forms.indexOf(choice.form) + 1;
    const comparedAt = isDue ? this.#options.clock.now() : choice.comparedAt;
    try {
      const { form, resolution } = await this.#walk(asking, isDue ? forms.slice(0, end) : [choice.form]);
      this.#choice = { kind: 'dns', form, comparedAt, isMissing: false };
      return resolution;
    } catch (error) {
      this.#choice = { ...choice, comparedAt, isMissing: isNoSuchName(error) };
      throw error;
    }
  }

  /** DNS has the word; where it does not know the name, or stays silent, the system is asked too: the first is chosen. */
  async #firstAnswer(asking: Asking): Promise<Resolution> {
    const enough = new AbortController();
    const found = this.#walk(asking, asking.forms);
    const unanswered = found.then(
      () => false,
      () => true,
    );
    const signal = AbortSignal.any([asking.signal, enough.signal]);
    const system = Promise.race([unanswered, this.#headStart(enough.signal)]).then(async (isAsked) =>
      isAsked ? await this.#systemKnows({ ...asking, signal }) : await found,
    );
    try {
      const first = await Promise.any([found, system]);
      this.#choose(first.form === null ? 'system' : 'dns', first.form);
      return first.resolution;
    } catch {
      // Both failed: what the system says is what `dns.lookup`, and so every driver, would have said.
      return (await system).resolution;
    } finally {
      enough.abort();
    }
  }

  /**
   * The system's answer counts; where DNS says the same, DNS is asked from then on. Where the system is silent, which
   * drivers would wait for, DNS's counts for now.
   */
  async #compare(asking: Asking): Promise<Resolution> {
    const enough = new AbortController();
    const found = this.#walk({ ...asking, help: { ...asking.help, early: undefined } }, asking.forms);
    const outcome = settle(found);
    const late = outcome.then((dns) => (dns.ok ? this.#headStart(enough.signal) : new Promise<never>(() => {})));
    const system = settle(this.#systemKnows(asking));
    const said = await Promise.race([system, late]);
    enough.abort();
    if (said === true || said === false) return (await found).resolution;
    if (!said.ok) {
      // An error changes no choice.
      if (this.#choice.kind === 'system') this.#choose('system');
      if (this.#choice.kind !== 'none') throw said.error;
      const { form, resolution } = await found.catch(() => Promise.reject(said.error as Error));
      this.#choose('dns', form);
      return resolution;
    }
    const { resolution } = said.value;
    this.#choose('system');
    const chosen = this.#choice;
    void outcome.then((dns) => {
      if (!dns.ok || this.#choice !== chosen) return;
      if (saysTheSame(dns.value.resolution, resolution)) this.#choose('dns', dns.value.form);
    });
    return resolution;
  }

  async #systemKnows({ name, signal, help }: Asking): Promise<Found<null>> {
    const resolution = await this.#options.system.resolve(name, signal, help);
    if (resolution.addresses.length === 0) throw noAddress(name, 'system');
    return { form: null, resolution };
  }

  /** The first form that has an address. As for glibc, one that its servers fail on is passed over, silence ends it. */
  async #walk({ name, signal, help }: Asking, forms: readonly string[]): Promise<Found<string>> {
    let failure: unknown;
    for (const form of forms) {
      try {
        const resolution = await this.#form(form).resolve(form, signal, help);
        const chain = behind(name, form, resolution.chain);
        if (resolution.addresses.length > 0) return { form, resolution: { ...resolution, chain } };
        failure = noAddress(form, 'dns');
      } catch (error) {
        if (!isNoSuchName(error) && codeOf(error) !== 'ESERVFAIL') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #form(form: string): Inner {
    let inner = this.#forms.get(form);
    if (inner === undefined) this.#forms.set(form, (inner = this.#options.dns()));
    return inner;
  }

  #choose(kind: 'dns' | 'system', form: string | null = null): void {
    const comparedAt = this.#options.clock.now();
    this.#choice =
      kind === 'dns' && form !== null ? { kind, form, comparedAt, isMissing: false } : { kind: 'system', comparedAt };
  }

  /** True after a while; false once `enough` is known. */
  async #headStart(enough: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    return await new Promise<boolean>((resolve) => {
      // A busy start of the application is no fault of DNS: an answer that has come is read first.
      const timer = clock.set(() => setImmediate(() => resolve(true)), HEAD_START_MILLIS);
      enough.addEventListener('abort', () => {
        clock.clear(timer);
        resolve(false);
      });
    });
  }
}

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

function settle<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  );
}

function isSame(a: Whereabouts, b: Whereabouts | undefined): boolean {
  if (a.kind !== b?.kind) return false;
  return a.kind === 'system' || b.kind === 'system' || a.forms.join() === b.forms.join();
}

/** The system leaves out a family that this machine has no address of. */
function saysTheSame(dns: Resolution, system: Resolution): boolean {
  const read = ({ addresses }: Resolution): readonly string[] =>
    addresses.flatMap((text) => canonicalAddress(text) ?? []);
  const said = new Set(read(system));
  const families = new Set([...said].map(familyOf));
  const named = new Set(read(dns).filter((address) => families.has(familyOf(address))));
  return said.size === named.size && [...said].every((address) => named.has(address));
}

/** A form leads the chain, unless it is the name itself. */
function behind(name: string, form: string, chain: readonly string[] = []): readonly string[] {
  return canonicalName(name) === canonicalName(form) ? chain : [form, ...chain];
}

function isNoSuchName(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'NO_ADDRESS';
}

function noAddress(name: string, source: string): EipPoolError {
  return new EipPoolError('NO_ADDRESS', `${name}: ${source} knows no address`);
}
