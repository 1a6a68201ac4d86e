import dns from 'node:dns';
import type { Resolution, Resolver } from '../answer.js';
import { type Family, untilAborted } from './dns.js';

/**
 * `dns.lookup`, for names that only the hosts file or a search domain knows. It has no TTL, and each look-up holds one
 * of libuv's four threads, so one is under way at a time, whoever asks.
 */
export class SystemResolver implements Resolver {
  readonly name: string = 'system';
  readonly #family: Family;
  #pending: Promise<Resolution> | undefined;

  constructor(family: Family) {
    this.#family = family;
  }

  async resolve(name: string, signal: AbortSignal): Promise<Resolution> {
    this.#pending ??= this.#look(name).finally(() => {
      this.#pending = undefined;
    });
    return await untilAborted(this.#pending, signal);
  }

  async #look(name: string): Promise<Resolution> {
    const found = await dns.promises.lookup(name, { all: true, family: this.#family, verbatim: true });
    return { addresses: found.map((entry) => entry.address), from: 'system' };
  }
}
