import { probeRealNetwork, runInNetwork } from '../../lab/index.js';
import { NETWORK_VARIABLE } from '../../lab/options.js';

/** What a terminal sends to a whole job; the process inside cleans up, and its end is ours. */
export const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Whether this process runs in a network of the lab's already. */
export function isInNetwork(): boolean {
  return process.env[NETWORK_VARIABLE] !== undefined;
}

/** Runs a script of ours again in a network of the lab's; resolves to its exit status, or to 2 where that cannot be. */
export async function rerunInNetwork(script: string, args: readonly string[]): Promise<number> {
  const found = await probeRealNetwork();
  if (!found.available) {
    process.stderr.write(`--real-network: ${found.reason}\n`);
    return 2;
  }
  for (const signal of SIGNALS) process.on(signal, () => {});
  return await runInNetwork([process.execPath, script, ...args]);
}
