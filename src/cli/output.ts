/** Where a command writes. */
export interface Streams {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Whether a person reads it on a terminal. */
  readonly terminal: boolean;
}

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
export type Style = keyof typeof STYLES;

/** Text for people, or JSON for programs: never both. */
export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** A line for people; nothing under `--json`. */
  line(text: string = ''): void {
    if (!this.json) this.#streams.out(`${text}\n`);
  }

  /** One JSON document on a line; nothing without `--json`. */
  data(value: unknown): void {
    if (this.json) this.#streams.out(`${JSON.stringify(value)}\n`);
  }

  paint(style: Style, text: string): string {
    const [on, off] = STYLES[style];
    return this.#streams.terminal && !this.json ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  }
}

/** `1.23 s`, or `45 ms` below a second. */
export function duration(millis: number): string {
  return millis < 1_000 ? `${Math.round(millis)} ms` : `${(millis / 1_000).toFixed(2)} s`;
}
