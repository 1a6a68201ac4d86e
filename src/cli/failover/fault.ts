import type { Lab } from '../../lab/index.js';
import type { Change } from './operation.js';
import { sharedNow } from './rpc.js';

/** What happens to the old server, and when the name moves. */
export type Fault = 'killed' | 'alive' | 'silent' | 'late';

export const FAULTS: readonly Fault[] = ['killed', 'alive', 'silent', 'late'];

const LATE_MILLIS = 2_000;

/** Does it to the host that the name points to, and moves the name to the next one. */
export async function inflict(fault: Fault, lab: Lab): Promise<Change> {
  const old = lab.current;
  const next = lab.hosts[(old.index + 1) % lab.hosts.length]!;
  let begunAt = Infinity;
  const begin = (): void => {
    begunAt = Math.min(begunAt, sharedNow());
  };
  switch (fault) {
    case 'alive':
      await lab.move(next);
      begin();
      break;
    case 'killed':
      // Within one turn of the event loop, so nobody can ask between the two.
      await lab.move(next);
      begin();
      old.kill();
      break;
    case 'silent':
      if (lab.network.kind === 'real') await old.blackhole();
      else old.stall();
      begin();
      await lab.move(next);
      break;
    case 'late':
      old.kill();
      begin();
      await lab.move(next, { delayMillis: LATE_MILLIS });
  }
  return { at: sharedNow(), begunAt, oldServer: old.database.port, newServer: next.database.port };
}
