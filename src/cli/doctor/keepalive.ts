import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** The kernel counts a socket's timers in hundredths of a second, whatever its own tick. */
const TICKS_PER_SECOND = 100;
const KEEPALIVE_TIMER = 2;

/**
 * Seconds until the kernel's keepalive looks after this idle socket; null where it has no such timer; undefined where the
 * kernel does not say. Source: proc(5), /proc/net/tcp, the column `tr tm->when`.
 */
export async function keepaliveSeconds(socket: Socket): Promise<number | null | undefined> {
  const { localPort, remotePort, remoteFamily } = socket;
  if (localPort === undefined || remotePort === undefined) return undefined;
  try {
    const table = await readFile(remoteFamily === 'IPv6' ? '/proc/net/tcp6' : '/proc/net/tcp', 'latin1');
    return timerIn(table, localPort, remotePort);
  } catch {
    return undefined;
  }
}

/** Pure: one socket's keepalive timer in the text of /proc/net/tcp. */
export function timerIn(table: string, localPort: number, remotePort: number): number | null | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', remote = '', , , timer = ''] = line.trim().split(/\s+/);
    if (portOf(local) !== localPort || portOf(remote) !== remotePort) continue;
    const [kind = '', when = ''] = timer.split(':');
    return Number.parseInt(kind, 16) === KEEPALIVE_TIMER ? Number.parseInt(when, 16) / TICKS_PER_SECOND : null;
  }
  return undefined;
}

function portOf(hex: string): number {
  return Number.parseInt(hex.split(':')[1] ?? '', 16);
}
