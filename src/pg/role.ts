import type pg from 'pg';
import { onParameter } from './internals.js';
import { ROLE } from './prober.js';

export type Role = 'writable' | 'read-only';

/** A PostgreSQL server from 14 on says at the log-in, and whenever it changes, whether a session can write. */
export class RoleWatch {
  readonly #parameters: Map<string, boolean> = new Map();

  /** @param onReadOnly it can no longer write */
  constructor(client: pg.ClientBase, onReadOnly: () => void) {
    onParameter(client, (name, value) => {
      if (name !== 'in_hot_standby' && name !== 'default_transaction_read_only') return;
      this.#parameters.set(name, value === 'on');
      if (value === 'on') onReadOnly();
    });
  }

  /** Null where it says nothing: an older server, or a pooler in front of it. */
  get reported(): Role | null {
    if (this.#parameters.size < 2) return null;
    return [...this.#parameters.values()].includes(true) ? 'read-only' : 'writable';
  }
}

/** @throws what the connection failed with */
export async function askRole(client: pg.ClientBase): Promise<Role> {
  const { rows } = await client.query<{ read_only: boolean }>(ROLE);
  return rows[0]?.read_only === true ? 'read-only' : 'writable';
}
