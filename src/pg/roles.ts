import type pg from 'pg';
import { readOnlyError } from '../failover/refusal.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { activeStatement, expire, onServerError } from './internals.js';
import { ROLE } from './prober.js';
import { askRole, onReadOnly, type Role } from './role.js';
import { terminatedAtLogin } from './server-errors.js';

export interface RolesSide {
  readonly pool: pg.Pool;
  readonly endpoint: Endpoint;
  /** The next statement cannot run on it. */
  lost(client: pg.PoolClient): void;
}

/** READ ONLY SQL TRANSACTION: of the server, or of a transaction that its caller began so. */
const READ_ONLY = '25006';

/** `role: 'writable'`: which connections lead to a server that takes writes. */
export class Roles {
  readonly #side: RolesSide;
  /** Their server may have become read-only since they were made: they are asked before they are handed out. */
  readonly #doubted: Set<pg.PoolClient> = new Set();

  constructor(side: RolesSide) {
    this.#side = side;
  }

  watch(client: pg.PoolClient, all: () => readonly pg.PoolClient[]): void {
    let ready = false;
    const doubt = (): void => {
      if (ready) this.#doubt(client, all());
    };
    onReadOnly(client, doubt);
    client.once('connect', () => (ready = true));
    onServerError(client, ({ code }) => {
      const statement = code === READ_ONLY ? activeStatement(client) : undefined;
      // What a server answers to the question for its role is the answer, and no reason to ask again.
      if (statement !== undefined && statement !== ROLE) doubt();
    });
  }

  doubts(client: pg.PoolClient): boolean {
    return this.#doubted.size > 0 && this.#doubted.has(client);
  }

  forget(client: pg.PoolClient): void {
    this.#doubted.delete(client);
  }

  /** Does an old connection still lead to a server that takes writes? */
  async confirm(client: pg.PoolClient): Promise<boolean> {
    this.#doubted.delete(client);
    return (await roleOf(client)) === 'writable';
  }

  /** Settles the handshake of a new one. Null if it can be used, else why not. */
  async examine(client: pg.PoolClient, socket: TrackedSocket): Promise<unknown> {
    const role = await roleOf(client);
    if (role === 'writable') {
      socket.settle('usable');
      return null;
    }
    const { endpoint } = this.#side;
    // Its end tells the socket what there is to tell; to its caller, the question is a part of the login.
    if (role === 'lost') return terminatedAtLogin(socket.lastError);
    const error = readOnlyError(endpoint.name, socket.dialledAddress);
    socket.settle('unusable', 'read-only', error);
    return error;
  }

  /** This one is not handed out again, and no other one before it was asked. */
  #doubt(client: pg.PoolClient, all: readonly pg.PoolClient[]): void {
    for (const other of all) if (other !== client) this.#doubted.add(other);
    expire(this.#side.pool, client);
    this.#side.lost(client);
  }
}

async function roleOf(client: pg.PoolClient): Promise<Role | 'lost'> {
  try {
    return await askRole(client);
  } catch (error) {
    return roleByRefusal(error as { readonly code?: unknown });
  }
}

/** A proxy may not know what it is asked, or may not let it be asked: that is no reason not to use what is behind it. */
function roleByRefusal({ code }: { readonly code?: unknown }): Role | 'lost' {
  if (code === READ_ONLY) return 'read-only';
  return typeof code === 'string' && /^(42|0A)/.test(code) ? 'writable' : 'lost';
}
