import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: ['./test/mysql-server.setup.ts'],
    setupFiles: ['./test/console.setup.ts'],
    reporters: ['default', './test/summary-reporter.ts'],
    // Most of them wait for servers more than they compute.
    maxWorkers: 2,
    // They keep a hung test from going on for ever, and say nothing about how fast anything is.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    projects: [
      { extends: true, test: { name: 'tests', include: ['test/**/*.test.ts'] } },
      {
        extends: true,
        // They need the machine for themselves: one after the other, after all others.
        test: { name: 'alone', include: ['test/**/*.alone.ts'], fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
export default config;
