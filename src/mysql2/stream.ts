import type { FollowingStream } from '../failover/options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { SocketPlan } from '../sockets/socket-host.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { ConnectionSettings } from './internals.js';

export interface StreamPlan extends SocketPlan {
  /** Gets each socket as it is made: mysql2 does not say which connection it is for. */
  readonly made: (socket: TrackedSocket) => void;
  /** A pool's callers have their own deadline, and a log-in that is slow goes on without them. */
  readonly unbounded: boolean;
}

/**
 * What mysql2 calls for each connection; it carries its endpoint along wherever the options are copied to. With a
 * `stream` mysql2 sets neither keepalive nor noDelay; the socket does.
 *
 * A log-in is not cut for being slow: the server counts each one that the client breaks off, and after
 * `max_connect_errors` (100) of them in a row it blocks the client's host. mysql2's own `connectTimeout` does cut it, so
 * in a pool it is put out of force here, in the connection's own copy of the options.
 */
export function streamFactory(endpoint: Endpoint, plan: StreamPlan): FollowingStream {
  const make = ({ config }: { readonly config: ConnectionSettings }): TrackedSocket => {
    const socket = endpoint.socket(plan);
    socket.expectHandshake();
    if (plan.unbounded) config.connectTimeout = 0;
    socket.once('connect', () => {
      if (!config.enableKeepAlive) socket.setKeepAlive(false);
      else if (config.keepAliveInitialDelay !== undefined) socket.setKeepAlive(true, config.keepAliveInitialDelay);
    });
    plan.made(socket);
    return socket.connect(config.port, config.host);
  };
  return Object.assign(make, { endpoint });
}
