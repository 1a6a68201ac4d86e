import { Socket } from 'node:net';
import { invalidOption, millis, readOptions } from '../options.js';

/** How sockets are followed that somebody else made. All durations are milliseconds. */
export interface AdoptOptions {
  /**
   * How long a socket may go on, on an address that the name has left; then it is ended. Only its owner knows whether work
   * runs on it, so an idle one has this time too. `0` ends it at once. Where the address is dead, nobody waits.
   * @defaultValue 2_000
   */
  readonly drainMillis?: number | undefined;
  /**
   * Puts a question to a server that leaves a socket waiting: it is called with a fresh connection to the same port, and
   * writes there what the server answers before it knows who asks, such as `'PING\r\n'` to Redis; nothing where the server
   * speaks first. Any byte, or a refusal, is an answer. It must hold no secret, because a server is asked too that the name
   * has left. Unset: silence is no evidence, and sockets to a silent server end only when the name moves, or as their owner
   * decides.
   */
  readonly ping?: ((socket: Socket) => unknown) | undefined;
}

export interface ReadAdoptOptions {
  readonly drainMillis: number;
  readonly ping: ((socket: Socket) => unknown) | undefined;
}

/** @throws `INVALID_OPTION` that names the option */
export function readAdoptOptions(input: unknown, where: string = 'adopt'): ReadAdoptOptions {
  return readOptions<ReadAdoptOptions>(
    {
      drainMillis: millis(2_000, 0, 2 ** 31 - 1),
      ping: (value, name) => {
        if (value !== undefined && typeof value !== 'function') {
          throw invalidOption(name, 'a function that is given a connected socket', value);
        }
        return value as ReadAdoptOptions['ping'];
      },
    },
    input,
    where,
  );
}

/**
 * Whether it is a socket that can be followed: net's, or TLS's.
 * @throws `INVALID_OPTION` for anything else, and for one of a Unix socket or a pipe, which has no address
 */
export function checkSocket(socket: unknown): void {
  if (!(socket instanceof Socket)) throw invalidOption('socket', 'a net.Socket', socket);
  // A pipe's handle has no address to tell, connected or not; net tells only of what is connected.
  const handle = (socket as { readonly _handle?: { readonly getsockname?: unknown } | null })._handle;
  const isConnected = !socket.connecting && socket.readyState === 'open' && !socket.pending;
  const isPipe = handle != null && socket.connecting ? !handlesTcp(handle) : isConnected && !socket.remoteAddress;
  if (isPipe) throw invalidOption('socket', 'a TCP socket', 'one of a Unix socket or a pipe');
}

function handlesTcp(handle: object): boolean {
  return typeof (handle as { getsockname?: unknown }).getsockname === 'function';
}
