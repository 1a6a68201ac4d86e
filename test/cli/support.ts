import { vi } from 'vitest';
import { run } from '../../src/cli/run.js';
import type { Lab } from '../../src/lab/index.js';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly error: string;
  /** The documents of `--json`, one a line. */
  readonly json: readonly Record<string, unknown>[];
}

/** Runs one command line in this process, as `bin` does. */
export async function eipPool(
  argv: readonly string[],
  options: { signal?: AbortSignal; terminal?: boolean } = {},
): Promise<Ran> {
  let out = '';
  let error = '';
  const streams = {
    out: (text: string) => void (out += text),
    error: (text: string) => void (error += text),
    terminal: options.terminal ?? false,
  };
  const status = await run(argv, streams, options.signal ?? new AbortController().signal);
  const json = argv.includes('--json')
    ? out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : [];
  return { status, out, error, json };
}

/** The AWS of the lab, for every AWS tool that this process runs. */
export function useAws(lab: Lab): void {
  for (const [name, value] of Object.entries(lab.ec2.environment)) vi.stubEnv(name, value);
}

/** A machine without AWS: no credentials, no metadata service, and nothing that a real one could leak into a test. */
export function withoutAws(): void {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_REGION']) vi.stubEnv(name, '');
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://127.0.0.1:9');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  vi.stubEnv('AWS_ENDPOINT_URL_EC2', 'http://127.0.0.1:9');
}
