import type { ForeignCommand } from '../command.js';

/** The demo is loaded only when it is asked for: it brings the lab and its servers along. */
const PLACE: string = '../demo/main.js';

export const demo: ForeignCommand = {
  name: 'demo',
  summary: 'see a failover with two real PostgreSQL servers on this machine, pg.Pool beside it',
  async runForeign(argv) {
    const { runDemo } = (await import(PLACE)) as { runDemo(argv: string[]): Promise<number> };
    return await runDemo(argv);
  },
};
