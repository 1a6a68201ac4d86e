import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

const HIGH_WATER_MARK = 16 * 1024;

/** What an application wrote, in order, before its socket was connected; none of it reaches an attempt that fails. */
export class HeldWrites {
  #writes: unknown[][] = [];
  #end: unknown[] | null = null;
  #bytes = 0;
  #examiner: Writable | undefined;
  readonly #misused: (error: Error) => void;

  /** @param misused what is to become of the socket that was written to after its end */
  constructor(misused: (error: Error) => void = () => {}) {
    this.#misused = misused;
  }

  /**
   * Takes the arguments of `stream.write`; false where the writer should wait for 'drain'.
   * @throws what a stream throws that is told to write no text and no bytes
   */
  write(args: unknown[]): boolean {
    if (this.#end !== null) {
      this.#examine('write', args);
      return false;
    }
    this.#examine('write', withoutCallback(args));
    const [chunk] = args;
    this.#bytes += typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
    this.#writes.push(args);
    return this.#bytes < HIGH_WATER_MARK;
  }

  /** Takes the arguments of `stream.end`. @throws as {@link write} does */
  end<S extends Socket>(socket: S, args: unknown[]): S {
    this.#examine('end', this.#end === null ? withoutCallback(args) : args);
    this.#end ??= args;
    return socket;
  }

  flush(socket: Socket): void {
    const full = this.#bytes >= HIGH_WATER_MARK;
    for (const args of this.#writes.splice(0)) socket.write(...(args as Parameters<Socket['write']>));
    this.#bytes = 0;
    if (this.#end !== null) socket.end(...(this.#end as Parameters<Socket['end']>));
    else if (full && !socket.writableNeedDrain) process.nextTick(() => socket.emit('drain'));
  }

  /** Tells every writer that nothing of theirs was sent. */
  fail(error: Error | undefined): void {
    const cause = error ?? new Error('the socket was closed before it was connected');
    for (const args of [...this.#writes.splice(0), this.#end ?? []]) {
      const callback = args.at(-1);
      if (typeof callback === 'function') process.nextTick(() => Reflect.apply(callback, undefined, [cause]));
    }
  }

  /** A stream that goes nowhere judges now what the connected one would only judge in the event loop, where nobody could catch it. */
  #examine(method: 'write' | 'end', args: unknown[]): void {
    this.#examiner ??= new Writable({
      decodeStrings: false,
      write: (_chunk, _encoding, done) => done(),
    }).on('error', this.#misused);
    Reflect.apply(this.#examiner[method], this.#examiner, args);
  }
}

function withoutCallback(args: readonly unknown[]): unknown[] {
  return args.filter((arg) => typeof arg !== 'function');
}
