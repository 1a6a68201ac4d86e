import { type Clock, setImmediate, type Timer } from '../clock.js';

/** A deadline passes in so many steps; each counts for no more than its share, however long the event loop stood still. */
const STEPS = 10;

/**
 * Calls `passed` after `millis` in which the event loop could have read what a server sent. `heard`, asked at each step,
 * starts it anew. Returns the way to call it off.
 */
export function deadline(
  clock: Clock,
  millis: number,
  passed: () => void,
  heard: () => boolean = () => false,
): () => void {
  let [steps, over]: [number, boolean] = [0, false];
  let timer: Timer | undefined;
  const look = (): void => {
    if (over) return;
    steps = heard() ? 0 : steps + 1;
    // What may take no time at all ends at the first look.
    if (steps < STEPS && millis > 0) return arm();
    over = true;
    passed();
  };
  // The timers' turn comes before the sockets' turn in the event loop, so what is there is read first.
  const arm = (): void => {
    timer = clock.set(() => void setImmediate(look), millis / STEPS);
  };
  arm();
  return () => {
    over = true;
    clock.clear(timer);
  };
}
