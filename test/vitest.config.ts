import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/mysql-server.setup.ts'],
    setupFiles: ['./test/console.setup.ts'],
    root: new URL('..', import.meta.url).pathname,
    reporters: ['default', './test/summary-reporter.ts'],
  },
});
export default config;
