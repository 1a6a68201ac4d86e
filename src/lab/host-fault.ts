/** What is wrong with a host. */
export type HostFault =
  | { readonly kind: 'none' }
  /** Its server process died: every connection was reset, new ones are refused. */
  | { readonly kind: 'killed' }
  /** New connections are refused, open ones go on. */
  | { readonly kind: 'refusing' }
  /** Silent: connects succeed, nothing is read, answered or closed. */
  | { readonly kind: 'stalled' }
  /** Each direction's data arrives late. */
  | { readonly kind: 'slow'; readonly millis: number };

/** What happens to a connection's bytes in flight. */
export type Passage = { readonly kind: 'open'; readonly lateMillis: number } | { readonly kind: 'closed' };

export function isListening(fault: HostFault): boolean {
  return fault.kind !== 'killed' && fault.kind !== 'refusing';
}

export function passageOf(fault: HostFault): Passage {
  if (fault.kind === 'killed' || fault.kind === 'stalled') return { kind: 'closed' };
  return { kind: 'open', lateMillis: fault.kind === 'slow' ? fault.millis : 0 };
}
