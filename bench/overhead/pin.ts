import { execFileSync } from 'node:child_process';
import os from 'node:os';

/**
 * Where Linux wakes a server's process, on this core or on another one, costs more than anything a pool does. With
 * the client on the first core and the servers on the last, every slice has the same. False where that cannot be had.
 */
export function pin(who: 'client' | 'servers'): boolean {
  const cores = os.cpus().length;
  if (process.platform !== 'linux' || cores < 2) return false;
  const core = who === 'client' ? 0 : cores - 1;
  try {
    execFileSync('taskset', ['-acp', String(core), String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
