import { parseArgs } from 'node:util';
import { nearest } from '../options.js';

export interface OptionSpec {
  /** What stands behind it in the help, as `PORT`; none: it takes no value. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** Options that every command has. */
export const COMMON_OPTIONS: OptionTable = {
  json: { help: 'print JSON instead of text' },
  help: { help: 'show this' },
};

/** The caller wrote something that we do not understand; the exit status is 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
  readonly code: string = 'USAGE';
}

/** A command line that was read. */
export class Args {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, readonly string[] | true>>;

  constructor(positionals: readonly string[], values: Readonly<Record<string, readonly string[] | true>>) {
    this.positionals = positionals;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  get(name: string): string | undefined {
    return this.all(name)?.at(-1);
  }

  all(name: string): readonly string[] | undefined {
    const value = this.#values[name];
    return value === true ? undefined : value;
  }

  /** The positional argument with this number; `what` names it in the message. */
  required(index: number, what: string): string {
    const value = this.positionals[index];
    if (value === undefined) throw new UsageError(`${what} is missing`);
    return value;
  }

  number(name: string, min: number, max: number): number | undefined {
    const text = this.get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value) || value < min || value > max) {
      throw new UsageError(`--${name}: expected a number from ${min} to ${max}, got '${text}'`);
    }
    return value;
  }

  port(): number | undefined {
    const port = this.number('port', 1, 65_535);
    if (port !== undefined && !Number.isInteger(port)) throw new UsageError('--port: expected a whole number');
    return port;
  }

  url(): URL | undefined {
    const text = this.get('url');
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : null;
    // The text may hold a password, so it is not shown.
    if (url === null) throw new UsageError('--url: expected a URL such as postgres://user:password@host:5432/database');
    if (/^(postgres|postgresql|mysql):$/.test(url.protocol)) return url;
    throw new UsageError(`--url: expected postgres://… or mysql://…, got ${url.protocol}//…`);
  }
}

/** @throws UsageError that names what was not understood, and the nearest that would be */
export function readArgs(argv: readonly string[], own: OptionTable, maxPositionals: number): Args {
  const table: OptionTable = { ...own, ...COMMON_OPTIONS };
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true, allowPositionals: true });
  const positionals: string[] = [];
  const values: Record<string, readonly string[] | true> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (spec === undefined) {
      throw new UsageError(`no option ${token.rawName}; did you mean --${nearest(token.name, Object.keys(table))}?`);
    }
    values[token.name] = readValue(token, spec, values[token.name]);
  }
  const [extra] = positionals.slice(maxPositionals);
  if (extra !== undefined) throw new UsageError(`what is '${extra}'? Too many arguments`);
  return new Args(positionals, values);
}

function readValue(
  { rawName, value }: { readonly rawName: string; readonly value: string | undefined },
  spec: OptionSpec,
  before: readonly string[] | true | undefined,
): readonly string[] | true {
  if (spec.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return true;
  }
  if (value === undefined) throw new UsageError(`${rawName} needs a value: ${rawName} ${spec.value}`);
  return spec.multiple === true && before !== undefined && before !== true ? [...before, value] : [value];
}
