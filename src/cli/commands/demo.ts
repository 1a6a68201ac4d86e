import type { ForeignCommand } from '../command.js';

export const demo: ForeignCommand = {
  name: 'demo',
  summary: 'see a failover with two real PostgreSQL servers on this machine, pg.Pool beside it',
  async runForeign(argv) {
    // Loaded only when it is asked for: it brings the lab and its servers along.
    const { runDemo } = await import('../demo/demo.js');
    return await runDemo(argv);
  },
};
