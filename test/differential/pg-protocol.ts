import type { Protocol } from './wire.js';

/** Bytes in, whole messages out. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);

  /** @param untyped the first message of a client has no type */
  *read(bytes: Buffer, untyped: () => boolean): Generator<string> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const head = untyped() ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < length) return;
      const type = head === 0 ? 'startup' : String.fromCharCode(this.#rest[0]!);
      this.#rest = this.#rest.subarray(length);
      yield type;
    }
  }
}

/** PostgreSQL's, without TLS and COPY: each query and each sync is answered with ReadyForQuery, and so is the login. */
export class PgProtocol implements Protocol {
  readonly #client: Messages = new Messages();
  readonly #server: Messages = new Messages();
  #started = false;
  #owed = 1;
  greeting: boolean = true;
  over: boolean = false;

  get owed(): boolean {
    return this.#owed > 0;
  }

  fromClient(bytes: Buffer): void {
    for (const type of this.#client.read(bytes, () => !this.#started)) {
      if (type === 'startup') this.#started = true;
      if (type === 'Q' || type === 'S') this.#owed++;
      if (type === 'X') this.over = true;
    }
  }

  fromServer(bytes: Buffer): void {
    for (const type of this.#server.read(bytes, () => false)) {
      if (type !== 'Z') continue;
      this.#owed--;
      this.greeting = false;
    }
  }
}
