import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { onServers } from '../mysql2/support.js';
import { build, MUTANTS } from './mutants.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Made by `npm test` before it runs the tests, as this library's build is. */
const MAIN = here('.out/test/chaos/main.js');
const LIBRARY = here('../../dist/esm');
/** The same each time, so that what fails once fails again. */
const SEED = 20_261_124;

interface Ran {
  readonly status: number | null;
  readonly text: string;
}

async function chaos(...args: readonly string[]): Promise<Ran> {
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, '--seed', `${SEED}`, ...args], (_, stdout, stderr) => {
      resolve({ status: child.exitCode, text: `${stderr}\n${stdout}` });
    });
  });
}

async function holds(...args: readonly string[]): Promise<void> {
  const { status, text } = await chaos(...args);
  expect(status, text).toBe(0);
  expect(text).toContain('nothing hung, nothing twice, nothing lost');
}

describe('failovers under load, with faults drawn from a seed', () => {
  it('pg, on independent servers and on a primary and its standby', async () => {
    await holds('--failovers', '28');
  }, 120_000);
});

onServers('failovers under load, with faults drawn from a seed', () => {
  it('mysql2', async () => {
    await holds('--driver', 'mysql2', '--failovers', '7');
  }, 120_000);
});

describe.concurrent('the checker sees through a build that', () => {
  it.each([
    [MUTANTS.unknownWrites, 'doubled', 'killed,crashed,silent'],
    [MUTANTS.recheck, 'misdirected', 'slow'],
    [MUTANTS.call, 'doubled', 'demoted'],
  ])(
    '$name',
    async (mutant, rule, faults) => {
      const folder = here(`.out/mutants/${mutant.name.replaceAll(' ', '-')}`);
      await build(mutant, LIBRARY, folder);
      const { status, text } = await chaos(
        ...['--mode', 'independent', '--failovers', '5', '--faults', faults, '--rate', '100', '--library', folder],
      );
      expect(status, text).toBe(1);
      expect(text).toContain(`VIOLATION ${rule}`);
    },
    90_000,
  );
});
