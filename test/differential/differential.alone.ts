import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { build, type Mutant } from '../chaos/mutants.js';
import { onServers } from '../mysql2/support.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Made by `npm test` before it runs the tests, as this library's build is. */
const MAIN = here('.out/test/differential/main.js');
/** The same each time, so that what fails once fails again. */
const SEED = 20_261_130;
const PROGRAMS = 60;

interface Ran {
  readonly status: number | null;
  readonly text: string;
}

async function differential(...args: readonly string[]): Promise<Ran> {
  return await new Promise((resolve) => {
    const options = ['--seed', `${SEED}`, '--programs', `${PROGRAMS}`, '--differences', '1', ...args];
    const child = execFile(process.execPath, [MAIN, ...options], (_, stdout, stderr) => {
      resolve({ status: child.exitCode, text: `${stderr}\n${stdout}` });
    });
  });
}

async function agrees(only: string): Promise<void> {
  const { status, text } = await differential('--only', only);
  expect(status, text).toBe(0);
  expect(text).toContain(`${only}: ${PROGRAMS} programs`);
  expect(text).toContain('0 unexplained differences');
}

const MUTANT: Mutant = {
  name: 'tells nobody why a client was given back',
  patches: [
    {
      file: 'pg/pool.js',
      find: 'inNobodysContext(Reflect.apply, super.emit, this, arguments)',
      replace: 'inNobodysContext(() => super.emit(event, undefined, second))',
    },
  ],
};

describe('random programs, on the pool of the driver and on ours', () => {
  it.each(['pg', 'generic-pool'])('see the same results, events and counters in the same order: %s', agrees, 180_000);

  it('are reduced to the least one that shows a difference', async () => {
    const folder = here('.out/mutant');
    await build(MUTANT, here('../../dist/esm'), folder);
    const { status, text } = await differential('--only', 'pg', '--library', folder);
    expect(status, text).toBe(1);
    expect(text).toMatch(/DIFFERENT: npm run differential -- --only pg --run '\{.*\}'/);
    expect(text).toMatch(
      /stock event release (null|true|.*) client 1 .*\n {2}ours {2}event release undefined client 1/,
    );
  }, 180_000);
});

onServers('random programs, on the pool of the driver and on ours', () => {
  it('see the same results, events and counters in the same order: mysql2', async () => {
    await agrees('mysql2');
  }, 180_000);
});
