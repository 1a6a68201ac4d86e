import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { probeRealNetwork, runInNetwork } from '../../src/lab/index.js';

const network = await probeRealNetwork();
const why = network.available ? '' : ` (skipped: ${network.reason})`;
const root = fileURLToPath(new URL('../..', import.meta.url));

it.skipIf(!network.available)(
  `an endpoint goes where the driver would have gone, whatever the system’s files say${why}`,
  async () => {
    let output = '';
    const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
    const status = await runInNetwork(
      [
        process.execPath,
        vitest,
        'run',
        'as-the-driver',
        '--config',
        'test/vitest.network.config.ts',
        '--reporter=default',
      ],
      { cwd: root, env: { NO_COLOR: '1', VITEST: '' }, onOutput: (text) => (output += text) },
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(/Tests\s+\d+ passed/);
  },
  240_000,
);
