import { setImmediate, setTimeout } from 'node:timers/promises';
import { EipPoolError } from '../../errors.js';
import type { Resolution, Resolver } from '../answer.js';

/** How long DNS has the word alone at the start; a machine with a dead DNS server still knows its hosts file. */
const HEAD_START_MILLIS = 200;

/** A source that stands on its own feet. */
type Inner = Omit<Resolver, 'resolve'> & { resolve(name: string, signal: AbortSignal): Promise<Resolution> };

/**
 * DNS, or the system's own look-up: whichever first knows the name is the source for good. An error never changes the
 * choice, since a source that changes in an outage would look like a move.
 */
export class AutoResolver implements Resolver {
  readonly #dns: Inner;
  readonly #system: Inner;
  #chosen: Inner | undefined;

  constructor(dns: Inner, system: Inner) {
    this.#dns = dns;
    this.#system = system;
  }

  get name(): string {
    return this.#chosen?.name ?? 'dns or system';
  }

  get overlapping(): boolean {
    return this.#chosen?.overlapping ?? false;
  }

  get keepsTime(): boolean {
    return this.#chosen?.keepsTime ?? false;
  }

  async resolve(name: string, signal: AbortSignal): Promise<Resolution> {
    if (this.#chosen !== undefined) return await this.#chosen.resolve(name, signal);
    // RFC 6761: `localhost` is the system's, and no DNS server is to be asked for it.
    if (/(^|\.)localhost\.?$/i.test(name)) return await this.#try(this.#system, name, signal);
    return await this.#race(name, signal);
  }

  async chain(name: string, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#chosen?.chain?.(name, signal)) ?? [];
  }

  async #race(name: string, signal: AbortSignal): Promise<Resolution> {
    const dns = this.#try(this.#dns, name, signal);
    const known = dns.then(
      () => true,
      () => false,
    );
    const system = Promise.race([known, headStart()]).then((answered) =>
      answered ? dns : this.#try(this.#system, name, signal),
    );
    try {
      return await Promise.any([dns, system]);
    } catch {
      // Both failed: what the system says is what `dns.lookup`, and so every driver, would have said.
      return await system;
    }
  }

  async #try(resolver: Inner, name: string, signal: AbortSignal): Promise<Resolution> {
    const resolution = await resolver.resolve(name, signal);
    if (resolution.addresses.length === 0)
      throw new EipPoolError('NO_ADDRESS', `${name}: ${resolver.name} knows no address`);
    this.#chosen ??= resolver;
    return resolution;
  }
}

async function headStart(): Promise<false> {
  await setTimeout(HEAD_START_MILLIS, undefined, { ref: false });
  // A busy start of the application is no fault of DNS: an answer that has come is read first.
  return await setImmediate(false);
}
