import { Socket } from 'node:net';
import { canonicalName } from '../endpoint/name.js';
import type { FollowOptions } from '../endpoint/options.js';
import { invalidOption, viewOf } from '../options.js';
import { type AdoptOptions, readAdoptOptions } from './adopt-options.js';
import { Endpoint } from './endpoint.js';

/** How a name is followed for a whole process. All durations are milliseconds. */
export interface FollowProcessOptions extends FollowOptions, AdoptOptions {}

/**
 * Follows a name for the whole process: every `net.Socket`, and every socket of TLS, that connects by this name from now on
 * is followed as by {@link Endpoint.adopt}, whichever client opens it, and asks the endpoint for the address. A client that
 * reconnects by itself follows the name without knowing of it; one that looks the name up itself and connects to an address
 * does not. Where several endpoints follow one name, the first one has its sockets.
 *
 * `close()` of what it returns ends that; sockets that are open then are their owners' again, and stay.
 * @throws `INVALID_OPTION` that names the option
 */
export function followProcess(name: string, options?: FollowProcessOptions): Endpoint {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw invalidOption('followProcess', 'an object', options);
  }
  const { drainMillis, ping, ...follow } = options ?? {};
  const adopt = { drainMillis, ping };
  readAdoptOptions(adopt, 'followProcess');
  const endpoint = new ProcessEndpoint(name, follow);
  followers.push({ name: canonicalName(name), endpoint, adopt });
  install();
  endpoint.start();
  return endpoint;
}

interface Follower {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly adopt: AdoptOptions;
}

/** In the order in which they came. */
const followers: Follower[] = [];

class ProcessEndpoint extends Endpoint {
  protected override onClosed(): void {
    super.onClosed();
    const index = followers.findIndex(({ endpoint }) => endpoint === this);
    if (index !== -1) followers.splice(index, 1);
    if (followers.length === 0) uninstall();
  }
}

type Connect = typeof Socket.prototype.connect;

let hook: { readonly ours: Connect; readonly stock: Connect } | null = null;

/**
 * Node's channel `net.client.socket` tells of a socket before anything is known of where it goes (20.9, 22 and 24), and on
 * 20.9 only of one that `net.connect` makes. Whatever connects, TLS too, comes through this one method.
 */
function install(): void {
  if (hook !== null) return;
  // eslint-disable-next-line typescript/unbound-method -- called with the socket of each call
  const stock = Socket.prototype.connect;
  const ours = function (this: Socket, ...args: unknown[]): unknown {
    const follower = followers.length === 0 ? undefined : followerOf(args);
    if (follower === undefined) return Reflect.apply(stock, this, args);
    const { endpoint, adopt } = follower;
    const connected: unknown = Reflect.apply(stock, this, asking(endpoint, args));
    endpoint.adopt(this, adopt);
    return connected;
  };
  for (const key of ['name', 'length'] as const) {
    Object.defineProperty(ours, key, { value: stock[key], configurable: true });
  }
  Socket.prototype.connect = ours as Connect;
  hook = { ours: ours as Connect, stock };
}

/** Whoever has put something of theirs on top of it keeps it, and it goes on as if it were not there. */
function uninstall(): void {
  if (hook === null || Socket.prototype.connect !== hook.ours) return;
  Socket.prototype.connect = hook.stock;
  hook = null;
}

function followerOf(args: readonly unknown[]): Follower | undefined {
  const { host, path } = optionsOf(args);
  if (typeof host !== 'string' || path) return undefined;
  const name = canonicalName(host);
  return followers.find((follower) => follower.name === name);
}

interface ConnectOptions {
  readonly host?: unknown;
  readonly path?: unknown;
}

/** The arguments of `socket.connect`: options, a port and a host, or the list that net makes of either. */
function optionsOf([first, second]: readonly unknown[]): ConnectOptions {
  if (Array.isArray(first)) return (first[0] ?? {}) as ConnectOptions;
  if (typeof first === 'object' && first !== null) return first;
  return { host: second };
}

/** The same, with the endpoint's answer in the place of any other resolver's. */
function asking(endpoint: Endpoint, args: readonly unknown[]): unknown[] {
  const [first] = args;
  const { lookup } = endpoint;
  const listener = (Array.isArray(first) ? (first as unknown[]) : args).findLast((arg) => typeof arg === 'function');
  const port = typeof first === 'object' ? {} : { port: first };
  const options = viewOf<object>(optionsOf(args), { ...port, lookup });
  return listener === undefined ? [options] : [options, listener];
}
