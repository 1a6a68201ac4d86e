import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Tests that need the machine for themselves: one after the other, after all others. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.alone.ts'],
    fileParallelism: false,
    root: new URL('..', import.meta.url).pathname,
    reporters: ['default', './test/summary-reporter.ts'],
  },
});
export default config;
