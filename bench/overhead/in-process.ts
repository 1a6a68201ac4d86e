import { fileURLToPath } from 'node:url';
import { Child, type Methods } from '../../src/cli/failover/rpc.js';

/** What the work comes to with a process that runs this module of ours, and that ends with it. */
export async function inProcess<M extends Methods<M>, T>(
  module: string,
  work: (process: Child<M>) => Promise<T>,
): Promise<T> {
  const child = new Child<M>(fileURLToPath(new URL(module, import.meta.url)));
  try {
    return await work(child);
  } finally {
    await child.end();
  }
}
