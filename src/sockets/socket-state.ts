import type { Address } from '../endpoint/address.js';
import type { Ticket } from './gate.js';

/** One socket's life. Each state holds only what is true in it. */
export type SocketState =
  /** Made; nobody has asked it to connect. */
  | { readonly kind: 'new' }
  /** For an answer, or for its turn at an address's gate. */
  | { readonly kind: 'waiting'; readonly address: Address | null; readonly ticket: Ticket | null }
  | { readonly kind: 'dialling'; readonly address: Address; readonly ticket: Ticket; readonly startedAt: number }
  /** Connected; TLS or the log-in is under way. */
  | { readonly kind: 'handshake'; readonly address: Address; readonly ticket: Ticket }
  | { readonly kind: 'open'; readonly address: Address }
  /** The name has left the address, or the address is dead; the socket ends, or will at its lease's deadline. */
  | { readonly kind: 'leaving'; readonly address: Address }
  /** The address that it was connected to, if it ever was. */
  | { readonly kind: 'closed'; readonly address: Address | null };

/** The states in which the application has not yet been told that it is connected. */
export function isConnecting(state: SocketState): boolean {
  return state.kind === 'new' || state.kind === 'waiting' || state.kind === 'dialling';
}
