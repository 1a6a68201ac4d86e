import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { deadline } from './deadline.js';

/** Remembers how much of each socket has been read. */
export class ByteMarks<S extends { readonly bytesRead: number }> {
  readonly #read: WeakMap<S, number> = new WeakMap();

  /** Was a byte read since the last call for this socket? False at the first one. */
  grew(socket: S): boolean {
    const before = this.#read.get(socket);
    this.#read.set(socket, socket.bytesRead);
    return before !== undefined && socket.bytesRead > before;
  }
}

/**
 * What the work comes to, for as long as the server is heard: rejects when no byte was read from the socket for
 * `millis` in which the event loop could have read one.
 */
export async function whileHeard<T>(work: Promise<T>, socket: Socket, millis: number, clock: Clock): Promise<T> {
  const marks = new ByteMarks();
  marks.grew(socket);
  return await new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`no reply within ${Math.round(millis)} ms`));
    const callOff = deadline(clock, millis, late, () => marks.grew(socket));
    work.finally(callOff).then(resolve, reject);
  });
}
