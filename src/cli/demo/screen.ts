import type { WriteStream } from 'node:tty';
import type { Progress } from '../failover/client-process.js';
import type { Change } from '../failover/operation.js';
import { LEGEND, timeline } from './timeline.js';

const TICKS_PER_SECOND = 10;
const LABEL_WIDTH = 9;

/** On a terminal a row for each client that grows; elsewhere a line for each client and second. */
export class Screen {
  readonly #out: WriteStream;
  readonly #labels: readonly string[];
  readonly #live: boolean;
  readonly #silent: boolean;
  readonly #coloured: boolean;
  #ticks: Map<string, Progress[]> = new Map();
  #change: Change | null = null;
  #drawn = false;
  #seconds = 0;

  /** `live`: `out` is a terminal. `silent`: nothing is shown. */
  constructor(out: WriteStream, live: boolean, silent: boolean, labels: readonly string[]) {
    this.#out = out;
    this.#silent = silent;
    this.#live = live;
    this.#labels = labels;
    this.#coloured = live && process.env['NO_COLOR'] === undefined && out.hasColors();
    this.say(LEGEND);
  }

  say(text: string): void {
    if (!this.#silent) this.#out.write(`${text}\n`);
  }

  begin(title: string): void {
    this.#ticks = new Map(this.#labels.map((label) => [label, []]));
    this.#change = null;
    this.#drawn = false;
    this.#seconds = 0;
    this.say(`\n${title}`);
  }

  changed(change: Change): void {
    this.#change = change;
  }

  progress(label: string, tick: Progress): void {
    this.#ticks.get(label)?.push(tick);
    if (this.#live) this.#draw();
    else this.#printSeconds();
  }

  #draw(): void {
    // Back over the rows that stand there already.
    if (this.#drawn) this.#out.moveCursor(0, -this.#labels.length);
    this.#drawn = true;
    for (const [label, ticks] of this.#ticks) {
      this.#out.clearLine(0);
      this.say(`  ${label.padEnd(LABEL_WIDTH)}${timeline(ticks, this.#change, this.#coloured)}`);
    }
  }

  /** A second of all clients at once, when the last of them has had it. */
  #printSeconds(): void {
    const from = this.#seconds * TICKS_PER_SECOND;
    const all = [...this.#ticks].map(([label, ticks]) => ({
      label,
      ticks: ticks.slice(from, from + TICKS_PER_SECOND),
    }));
    if (all.some(({ ticks }) => ticks.length < TICKS_PER_SECOND)) return;
    this.#seconds++;
    for (const { label, ticks } of all) {
      this.say(`  ${this.#seconds} s  ${label.padEnd(LABEL_WIDTH)}${timeline(ticks, this.#change, false)}`);
    }
  }
}
