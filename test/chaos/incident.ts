/** What happens before the name moves, or while it does, beside the faults of the server that it leaves and of the application. */
export type Incident =
  /** The connections to the server are lost, each by itself; it lives, and takes new ones. */
  | 'flows lost'
  /** It is killed, and started again in its place; the name stays. */
  | 'restart'
  /** The name has a second address by the time of the fault. */
  | 'two addresses'
  /** Another service at the same addresses takes connections and says nothing; one pool asks for it as another one asks for this. */
  | 'second port'
  /** The process of the load is stopped while the name moves. */
  | 'frozen';

export const INCIDENTS: readonly Incident[] = ['flows lost', 'restart', 'two addresses', 'second port', 'frozen'];

/**
 * Those that servers can have. Of a primary and its standby one takes writes, and neither is started again unasked. A
 * pooler invents the numbers of its sessions, so that nobody can ask whether one of them is still there.
 */
export function incidentsOf(mode: string): readonly Incident[] {
  switch (mode) {
    case 'replicated':
      return ['flows lost', 'second port', 'frozen'];
    case 'pooled':
      return INCIDENTS.filter((incident) => incident !== 'flows lost');
    default:
      return INCIDENTS;
  }
}
