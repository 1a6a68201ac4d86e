import { expect } from 'vitest';
import type { Endpoint, MoveEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';

export const FOLLOW = { intervalMillis: 100 } as const;

/** The first host again, well and named. */
export async function reset(lab: Lab): Promise<void> {
  for (const host of lab.hosts) await host.restore();
  await lab.move(lab.hosts[0]!);
}

/**
 * A failover in the middle of a library's use: the server is killed under its connections, or lives on, and the name
 * moves. `serverOf` asks the server for its port through the library.
 */
export async function survives(
  lab: Lab,
  endpoint: Endpoint,
  serverOf: () => Promise<unknown>,
  old: 'killed' | 'alive' = 'killed',
): Promise<void> {
  const portOf = (index: number): string => String(lab.hosts[index]!.database.port);
  expect(String(await serverOf())).toBe(portOf(0));
  const moved = new Promise<MoveEvent>((resolve) => endpoint.once('move', resolve));
  if (old === 'killed') {
    lab.hosts[0]!.kill();
    // The client knows of the death of what is idle; what it does now waits for the move.
    await expect.poll(() => endpoint.snapshot().sockets.open).toBe(0);
    const waiting = serverOf();
    await lab.move(lab.hosts[1]!);
    expect(String(await waiting)).toBe(portOf(1));
  } else {
    await lab.move(lab.hosts[1]!);
  }
  await moved;
  expect(String(await serverOf())).toBe(portOf(1));
}
