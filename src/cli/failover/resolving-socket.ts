import dns, { type LookupAddress } from 'node:dns';
import { Socket } from 'node:net';

/** A plain socket that asks these DNS servers when it connects, and never again. */
export class ResolvingSocket extends Socket {
  readonly #servers: readonly string[];

  constructor(servers: readonly string[]) {
    super();
    this.#servers = servers;
  }

  override connect(...args: unknown[]): this {
    const [port, host] = args as [number, string];
    return super.connect({ port, host, lookup: (name, _, callback) => void this.#resolve(name, callback) });
  }

  async #resolve(
    name: string,
    callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
  ): Promise<void> {
    try {
      // A resolver of its own for each question: some versions of Node cache inside one.
      const resolver = new dns.promises.Resolver();
      resolver.setServers(this.#servers);
      const found = await resolver.resolve4(name);
      callback(
        null,
        found.map((address) => ({ address, family: 4 })),
      );
    } catch (error) {
      callback(error as NodeJS.ErrnoException, []);
    }
  }
}
