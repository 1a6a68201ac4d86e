import dns from 'node:dns';
import type { Resolution, Resolver, SomeHelp } from '../answer.js';
import type { PacketBudget, PacketQuestion } from '../packet-budget.js';
import type { NameService } from '../system/name-service.js';
import type { Family } from './dns.js';

export interface SystemOptions {
  readonly family: Family;
  readonly budget: PacketBudget;
  readonly names: Pick<NameService, 'whereabouts'>;
}

/**
 * `dns.lookup`, as drivers call it. It has no TTL, and each lookup holds one of libuv's four threads for as long as the
 * system asks: so one is under way at a time, it has all the time that it takes, and a question that comes meanwhile gets
 * its answer.
 */
export class SystemResolver implements Resolver {
  readonly name: string = 'system';
  readonly overlapping: boolean = true;
  readonly keepsTime: boolean = true;
  readonly sharedAs: string;
  readonly #options: SystemOptions;
  #lookup: PacketQuestion<Resolution> | undefined;

  constructor(options: SystemOptions) {
    this.#options = options;
    this.sharedAs = `system ${options.family}`;
  }

  async resolve(name: string, signal: AbortSignal, help?: SomeHelp): Promise<Resolution> {
    const known = this.#lookup;
    // One that is under way cannot be taken back.
    const lookup = known !== undefined && (known.wasSent || !known.isOver) ? known : this.#ask(name);
    this.#lookup = lookup;
    return await lookup.wait(help?.urgency ?? 'awaited', signal);
  }

  #ask(name: string): PacketQuestion<Resolution> {
    const { family, budget, names } = this.#options;
    // The hosts file takes no packets, DNS one for each family.
    const count = names.whereabouts(name, family).kind === 'system' ? 0 : family === 0 ? 2 : 1;
    // What net.connect asks for, so that the answer is the driver's.
    const hints = family === 0 && process.platform !== 'win32' ? dns.ADDRCONFIG : 0;
    return budget.ask<Resolution>({ to: 'system', count }, async () => {
      try {
        const found = await dns.promises.lookup(name, { all: true, family, hints, verbatim: true });
        return { addresses: found.map((entry) => entry.address), from: 'system' };
      } finally {
        this.#lookup = undefined;
      }
    });
  }
}
