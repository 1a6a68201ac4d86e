import { serve } from '../../src/cli/failover/rpc.js';
import { compare, compareDelays, type Comparison, type DelayComparison, type Rounds, type Work } from './compare.js';
import { type DriverName, loadDriver } from './driver.js';
import type { Server } from './lab-process.js';

/** Both sides of one piece of work, in a process of their own. */
export interface RateMethods {
  rates(argument: Asked): Promise<Comparison>;
  delays(argument: Asked): Promise<DelayComparison>;
}

export interface Asked {
  readonly driver: DriverName;
  readonly what: string;
  readonly server: Server;
  readonly atATime: number;
  readonly rounds: Rounds;
}

serve<RateMethods>(
  {
    rates: async (asked) => await compare(await workOf(asked), asked.atATime, asked.rounds),
    delays: async (asked) => await compareDelays(await workOf(asked), asked.atATime, asked.rounds),
  },
  async () => {},
);

async function workOf({ driver, what, server, rounds }: Asked): Promise<Work> {
  const works = (await loadDriver(driver)).work(server, rounds.poolSize);
  return works.find((work) => work.what === what)!;
}
