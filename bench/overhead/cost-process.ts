import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { serve } from '../../src/cli/failover/rpc.js';
import { type DriverName, type Kind, loadDriver } from './driver.js';
import type { Server } from './lab-process.js';

/** Pools that stand idle, in a process of their own. */
export interface CostMethods {
  fill(argument: Fill): Promise<void>;
  /** Heap and external memory in use after the garbage was collected, in bytes. */
  memory(): Promise<number>;
}

export interface Fill {
  readonly driver: DriverName;
  readonly kind: Kind;
  readonly server: Server;
  readonly connections: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** What one collection leaves for finalizers is gone after some. */
const COLLECTIONS = 5;

serve<CostMethods>(
  {
    async fill({ driver, kind, server, connections }) {
      await (await loadDriver(driver)).fill(server, kind, connections);
    },
    async memory() {
      for (let i = 0; i < COLLECTIONS; i++) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    },
  },
  async () => {},
);
