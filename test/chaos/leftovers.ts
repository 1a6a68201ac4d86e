import { createHook } from 'node:async_hooks';

/** Not TLSWRAP, which goes with Node's garbage, when it may; below each is a TCPWRAP. */
const WATCHED: ReadonlySet<string> = new Set(['Timeout', 'TCPWRAP', 'UDPWRAP']);
const POLL_MILLIS = 20;
const SHOWN_FRAMES = 4;

/** Timers and sockets of this process, also those that do not keep it alive. */
export class Leftovers {
  readonly #alive: Map<number, string> = new Map();
  #own = false;

  constructor() {
    createHook({
      init: (id, type) => {
        if (!this.#own && WATCHED.has(type)) this.#alive.set(id, `${type} made ${placeOf(new Error(type))}`);
      },
      destroy: (id) => {
        this.#alive.delete(id);
      },
    }).enable();
  }

  /** What is still there after so long a time, at most. */
  async after(limitMillis: number): Promise<readonly string[]> {
    const until = performance.now() + limitMillis;
    while (this.#alive.size > 0 && performance.now() < until) await this.#pause();
    return [...this.#alive.values()];
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => {
      this.#own = true;
      setTimeout(resolve, POLL_MILLIS);
      this.#own = false;
    });
  }
}

/** Where in the library, or in the load. */
function placeOf({ stack = '' }: Error): string {
  const frames = stack.split('\n').filter((line) => line.includes('file:') && !line.includes('leftovers.js'));
  return frames
    .slice(0, SHOWN_FRAMES)
    .map((line) => line.trim())
    .join(' ');
}
