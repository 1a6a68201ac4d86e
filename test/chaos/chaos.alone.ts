import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { onServers } from '../mysql2/support.js';
import { chaos } from './command.js';
import { missing } from './local-faults.js';
import { build, type Mutant, MUTANTS } from './mutants.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const LIBRARY = here('../../dist/esm');

/** Odd: on independent servers with TLS, where there is. */
const HOLDING_SEED = 20_261_125;

async function holds(...args: readonly string[]): Promise<void> {
  const { status, text } = await chaos('--seed', `${HOLDING_SEED}`, ...args);
  expect(status, text).toBe(0);
  expect(text).toContain('nothing hung, nothing twice, nothing lost');
}

describe.concurrent('failovers under load, with faults of servers, names and the application drawn from a seed', () => {
  it('pg, on independent servers', async () => {
    await holds('--mode', 'independent', '--failovers', '4');
  }, 300_000);

  it('pg, on a primary and its standby', async () => {
    await holds('--mode', 'replicated', '--failovers', '4');
  }, 300_000);

  it('generic-pool', async () => {
    await holds('--driver', 'generic-pool', '--failovers', '4');
  }, 300_000);

  onServers('of the kind that mysql2 talks to', () => {
    it('mysql2', async () => {
      await holds('--driver', 'mysql2', '--failovers', '4');
    }, 300_000);
  });
});

/** The faults that show it, and the rules that it breaks: any of them. */
const SEEN: readonly (readonly [Mutant, RegExp, ...string[]])[] = [
  [MUTANTS.unknownWrites, /doubled/, '--faults', 'killed,crashed,silent', '--locals', 'none', '--failovers', '5'],
  [MUTANTS.recheck, /misdirected/, '--faults', 'slow', '--locals', 'none', '--failovers', '5'],
  [MUTANTS.call, /doubled/, '--faults', 'demoted', '--locals', 'none', '--failovers', '5'],
  [MUTANTS.sharedError, /doubled|done/, '--faults', 'silent,stopped', '--locals', 'none', '--failovers', '5'],
  [MUTANTS.context, /strayed/, '--faults', 'killed', '--locals', 'none', '--failovers', '1'],
  // Seeds with which the fault that matters is drawn first.
  [
    MUTANTS.failedAttempt,
    /answered twice|doubled|forgotten/,
    ...['--faults', 'alive', '--locals', 'full', '--seed', '356', '--failovers', '2', '--deadline', '3000'],
  ],
  [
    MUTANTS.localFailure,
    /cut alive/,
    ...['--faults', 'alive', '--locals', 'no files', '--seed', '13', '--failovers', '1'],
  ],
];

/** Nothing is drawn but what shows it. */
const ALONE = ['--mode', 'independent', '--incidents', 'none', '--rate', '100'] as const;

const noPrlimit = await missing('no files', 'pg');

describe.concurrent('the checker sees through a build that', () => {
  for (const [mutant, rules, ...args] of SEEN) {
    it(mutant.name, { timeout: 300_000 }, async ({ skip }) => {
      if (args.includes('no files') && noPrlimit !== null) skip(noPrlimit);
      const folder = here(`.out/mutants/${mutant.name.replaceAll(/[ ,']+/g, '-')}`);
      await build(mutant, LIBRARY, folder);
      const seen = new RegExp(`VIOLATION (${rules.source})`);
      let text = '';
      // The same is drawn each time; what is under way in that moment is not the same.
      for (let run = 0; run < 3 && !seen.test(text); run++) {
        ({ text } = await chaos(...ALONE, '--library', folder, ...args));
      }
      expect(text).toMatch(seen);
    });
  }
});
