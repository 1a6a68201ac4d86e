import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.js';

/** Remembers how much of each socket has been read. */
export class ByteMarks<S extends Socket> {
  readonly #read: WeakMap<S, number> = new WeakMap();

  /** Was a byte read since the last call for this socket? False at the first one. */
  grew(socket: S): boolean {
    const before = this.#read.get(socket);
    this.#read.set(socket, socket.bytesRead);
    return before !== undefined && socket.bytesRead > before;
  }
}

/** A deadline passes in so many steps; each counts for no more than its share, however long the event loop stood still. */
const STEPS = 10;

/**
 * What the work comes to, for as long as the server is heard: rejects when no byte was read from the socket for
 * `millis` in which the event loop could have read one.
 */
export async function whileHeard<T>(work: Promise<T>, socket: Socket, millis: number, clock: Clock): Promise<T> {
  const marks = new ByteMarks();
  marks.grew(socket);
  return await new Promise<T>((resolve, reject) => {
    let [silentSteps, timer]: [number, Timer | undefined] = [0, undefined];
    let over = false;
    const look = (): void => {
      if (over) return;
      silentSteps = marks.grew(socket) ? 0 : silentSteps + 1;
      if (silentSteps >= STEPS) reject(new Error(`no reply within ${Math.round(millis)} ms`));
      else arm();
    };
    // The timers' turn comes before the sockets' turn in the event loop, so a reply that is there is read first.
    const arm = (): void => {
      timer = clock.set(() => void setImmediate(look), millis / STEPS);
    };
    arm();
    const end = (): void => {
      over = true;
      clock.clear(timer);
    };
    work.finally(end).then(resolve, reject);
  });
}
