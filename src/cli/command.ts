import type { Args, OptionTable } from './args.js';
import type { Output } from './output.js';

/** Exit statuses: `FAILED` is also what `doctor` ends with when a check failed. */
export const OK: number = 0;
export const FAILED: number = 1;
export const MISUSED: number = 2;

/** What a command gets beside its arguments. */
export interface Surroundings {
  readonly output: Output;
  /** Aborted when the user has had enough. */
  readonly signal: AbortSignal;
}

/** One command of `eip-pool`, in a file of its own; `commands.ts` lists them. */
export interface Command {
  /** One word, or two as in `eip associate`. */
  readonly name: string;
  /** What stands behind the name, as `NAME [--port PORT]`. */
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly options: OptionTable;
  readonly maxPositionals: number;
  /** Resolves to the exit status. */
  run(args: Args, surroundings: Surroundings): Promise<number>;
}

/** A command that reads its own arguments, `--help` too. */
export interface ForeignCommand {
  readonly name: string;
  readonly summary: string;
  runForeign(argv: string[]): Promise<number>;
}

/** Options that several commands have. */
export const SERVER_OPTION: OptionTable = {
  server: { value: 'ADDRESS', multiple: true, help: 'a DNS server to ask instead of those of resolv.conf; repeatable' },
};
export const REGION_OPTION: OptionTable = {
  region: { value: 'REGION', help: "the Elastic IP's Region; else that of its name, or AWS_REGION" },
};
