import { connect, type Socket } from 'node:net';

/** Where a host's connections lead: to a database, or back to their sender. */
export type Backend =
  { readonly kind: 'echo' } | { readonly kind: 'database'; readonly address: string; readonly port: number };

/** One client's connection through a host. Half-closes and resets pass as they came. */
export class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  #stalled: boolean;
  #slowMillis: number;
  readonly #ended: () => void;

  constructor(client: Socket, backend: Backend, state: { stalled: boolean; slowMillis: number }, ended: () => void) {
    this.#client = client;
    this.#stalled = state.stalled;
    this.#slowMillis = state.slowMillis;
    this.#ended = ended;
    this.#server =
      backend.kind === 'echo' ? client : connect({ host: backend.address, port: backend.port, allowHalfOpen: true });
    this.#wire(this.#client, this.#server);
    if (this.#server !== client) this.#wire(this.#server, this.#client);
    if (!this.#stalled) this.#client.resume();
  }

  /** Nothing is read, written or closed, whatever the two ends do. */
  stall(): void {
    this.#stalled = true;
    this.#client.pause();
    this.#server.pause();
  }

  slow(millis: number): void {
    this.#slowMillis = millis;
  }

  restore(): void {
    this.#stalled = false;
    this.#slowMillis = 0;
    // What ended in the silence ends now.
    if (this.#client.destroyed || this.#server.destroyed) return this.reset();
    this.#client.resume();
    this.#server.resume();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.destroy();
    this.#ended();
  }

  #wire(from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => this.#later(() => to.writable && to.write(chunk)));
    from.on('end', () => this.#later(() => to.end()));
    from.on('error', () => {});
    from.on('close', (hadError: boolean) => {
      if (this.#stalled) return;
      if (hadError) to.resetAndDestroy();
      else to.destroySoon();
      this.#ended();
    });
  }

  #later(act: () => unknown): void {
    if (this.#slowMillis === 0) act();
    else setTimeout(act, this.#slowMillis);
  }
}
