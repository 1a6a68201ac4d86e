import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { probeRealNetwork, runInNetwork } from '../../src/lab/index.js';
import { missingForBind } from './bind.js';

const network = await probeRealNetwork();
const missing = await missingForBind();
const lacks = [
  ...(network.available ? [] : [network.reason]),
  ...(missing.length === 0 ? [] : [`${missing.join(', ')} not found; install bind9 and bind9-dnsutils`]),
];
const why = lacks.length === 0 ? '' : ` (skipped: ${lacks.join('; ')})`;
const root = fileURLToPath(new URL('../..', import.meta.url));

it.skipIf(lacks.length > 0)(
  `the article's walk-through works with BIND 9, in a network of its own${why}`,
  async () => {
    let output = '';
    const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
    const status = await runInNetwork(
      [process.execPath, vitest, 'run', 'test/ec2', '--config', 'test/vitest.network.config.ts', '--reporter=default'],
      { cwd: root, env: { NO_COLOR: '1', VITEST: '' }, onOutput: (text) => (output += text) },
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(/Tests\s+1 passed/);
  },
  120_000,
);
