import type pg from 'pg';
import { onParameter } from './internals.js';
import { ROLE } from './prober.js';

export type Role = 'writable' | 'read-only';

/**
 * A PostgreSQL server from 14 on says whenever its sessions can no longer write. What is said at a login is no answer to
 * {@link askRole}: a pooler says there what it heard of its server at some time, even long ago.
 */
export function onReadOnly(client: pg.ClientBase, listener: () => void): void {
  onParameter(client, (name, value) => {
    if (value === 'on' && (name === 'in_hot_standby' || name === 'default_transaction_read_only')) listener();
  });
}

/** @throws what the connection failed with */
export async function askRole(client: pg.ClientBase): Promise<Role> {
  const { rows } = await client.query<{ read_only: boolean }>(ROLE);
  return rows[0]?.read_only === true ? 'read-only' : 'writable';
}
