import type { Clock } from '../clock.js';
import { deadline } from './deadline.js';
import type { Evidence } from './evidence.js';
import { ByteMarks } from './heard.js';
import type { FollowedSocket } from './followed-socket.js';

/** Whether anybody knows how to ask on it. Where nobody does, its silence and its state say nothing of the server. */
export function canPing({ connection }: Pick<FollowedSocket, 'connection'>): boolean {
  return connection?.ping !== undefined;
}

/**
 * A round trip on an idle connection, for as long as its server is heard. `silence`: no byte came for this time. `none`: the
 * connection ended, whoever ended it, or nobody knows how to ask on it.
 */
export async function ping(idle: FollowedSocket, boundMillis: number, clock: Clock): Promise<Evidence> {
  const { connection } = idle;
  if (connection?.ping === undefined) return 'none';
  const marks = new ByteMarks();
  marks.grew(idle);
  const asked = connection.ping();
  return await new Promise<Evidence>((resolve) => {
    const late = (): void => resolve(idle.destroyed ? 'none' : 'silence');
    const callOff = deadline(clock, boundMillis, late, () => marks.grew(idle));
    asked.finally(callOff).then(
      () => resolve('life'),
      () => resolve('none'),
    );
  });
}
