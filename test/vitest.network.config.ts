import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Inside the network of the lab, which holds one lab at a time. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/pg/failover.test.ts', 'test/**/*.network.ts'],
    setupFiles: ['./test/console.setup.ts'],
    root: new URL('..', import.meta.url).pathname,
    fileParallelism: false,
    // As outside of it: they keep a hung test from going on for ever.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
  },
});
export default config;
