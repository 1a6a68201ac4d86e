import type { Socket } from 'node:net';

const HIGH_WATER_MARK = 16 * 1024;

/** What an application wrote, in order, before its socket was connected; none of it reaches an attempt that fails. */
export class HeldWrites {
  #writes: unknown[][] = [];
  #end: unknown[] | null = null;
  #bytes = 0;

  /** Takes the arguments of `stream.write`; false where the writer should wait for 'drain'. */
  write(args: unknown[]): boolean {
    const [chunk] = args;
    this.#bytes += typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
    this.#writes.push(args);
    return this.#bytes < HIGH_WATER_MARK;
  }

  /** Takes the arguments of `stream.end`. */
  end<S extends Socket>(socket: S, args: unknown[]): S {
    this.#end = args;
    return socket;
  }

  flush(socket: Socket): void {
    const full = this.#bytes >= HIGH_WATER_MARK;
    for (const args of this.#writes.splice(0)) socket.write(...(args as Parameters<Socket['write']>));
    this.#bytes = 0;
    if (this.#end !== null) socket.end(...(this.#end as Parameters<Socket['end']>));
    else if (full && !socket.writableNeedDrain) process.nextTick(() => socket.emit('drain'));
  }

  /** Tells every writer that nothing of his was sent. */
  fail(error: Error | undefined): void {
    const cause = error ?? new Error('the socket was closed before it was connected');
    for (const args of this.#writes.splice(0)) {
      const callback = args.at(-1);
      if (typeof callback === 'function') process.nextTick(() => Reflect.apply(callback, undefined, [cause]));
    }
  }
}
