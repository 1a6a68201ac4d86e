import { setTimeout } from 'node:timers/promises';
import type { Lab, LabHost, SimpleMode } from '../../src/lab/index.js';
import type { Cluster } from './cluster.js';
import type { Failover, Fault } from './schedule.js';

export interface Scene {
  readonly lab: Lab;
  readonly cluster: Cluster;
  /** Where the name is, and where it goes. */
  readonly old: LabHost;
  readonly next: LabHost;
}

/** Some logins are under way when the name moves. */
const SLOW_MOVE_MILLIS = 50;
/** How long the name is at a server that takes no writes yet. */
const NAME_FIRST_MILLIS = 200;

/** The fault, the fence, the promotion and the move. When it returns the name is at the next server, which takes writes. */
export async function carryOut(failover: Failover, scene: Scene): Promise<void> {
  const { lab, cluster, old, next } = scene;
  const outage = outageOf(failover);
  if (failover.nameFirst) await cluster.hold(next);
  if (outage !== null) lab.dns.setMode({ kind: outage });
  await strike(failover, scene);
  await setTimeout(failover.lateMillis);
  if (!failover.nameFirst) await takeOver(failover, scene);
  const from = old.address;
  await lab.move(next, { fresh: failover.naming !== 'return' });
  if (failover.naming === 'flicker') lab.dns.flicker(from, next.address, failover.troubleMillis);
  if (failover.nameFirst) {
    await setTimeout(NAME_FIRST_MILLIS);
    await takeOver(failover, scene);
  }
  if (outage === null) return;
  await setTimeout(failover.troubleMillis);
  lab.dns.setMode({ kind: 'normal' });
}

/** The server that was left is well again, and may be the next one. */
export async function heal({ fault }: Failover, { lab, cluster, old }: Scene): Promise<void> {
  lab.dns.setMode({ kind: 'normal' });
  if (!cluster.replicated && fault === 'stopped') await old.database.resume();
  if (!cluster.replicated && fault === 'crashed') await old.database.restart();
  // First of all: what is held up on the way to it may leave no room for its administrator.
  await old.restore();
  if (!cluster.replicated) await cluster.rejoin(old);
}

async function strike({ fault, slowMillis }: Failover, { cluster, old }: Scene): Promise<void> {
  switch (fault) {
    case 'alive':
      return;
    case 'killed':
      old.kill();
      return;
    case 'crashed':
      await old.database.kill();
      return;
    case 'silent':
      old.stall();
      return;
    case 'stopped':
      await old.database.suspend();
      return;
    case 'demoted':
      // The news of it travels as slowly as the statements that it refuses.
      old.slow(slowMillis);
      await cluster.demote(old);
      return;
    case 'slow':
      old.slow(slowMillis);
      old.resetConnections();
      await setTimeout(SLOW_MOVE_MILLIS);
  }
}

const RUNNING: ReadonlySet<Fault> = new Set(['alive', 'demoted', 'slow']);

async function takeOver({ fault }: Failover, { cluster, old, next }: Scene): Promise<void> {
  await cluster.fence(old, RUNNING.has(fault));
  await cluster.promote(next);
}

function outageOf({ naming }: Failover): SimpleMode | null {
  return naming === 'servfail' || naming === 'drop' || naming === 'empty' ? naming : null;
}
