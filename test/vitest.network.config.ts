import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Inside the network of the lab, which holds one lab at a time. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/pg/failover.test.ts', 'test/*/*.network.ts'],
    setupFiles: ['./test/console.setup.ts'],
    root: new URL('..', import.meta.url).pathname,
    fileParallelism: false,
  },
});
export default config;
