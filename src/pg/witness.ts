import type pg from 'pg';
import type { Clock } from '../clock.js';
import type { Resolution } from '../failover/transaction.js';

/** Which server it is, and in which of its lives. */
export interface Identity {
  readonly system: string;
  /** Each promotion and each recovery to a point in time begins a new one. */
  readonly timeline: string;
  readonly startedAt: string;
}

export type TransactionId = string;

/** The timeline is that of the log now written: pg_control_checkpoint tells that of the last checkpoint. */
const IDENTITY = `
  select (select system_identifier::text from pg_control_system()) as system,
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline, pg_postmaster_start_time()::text as "startedAt"`;

const identities: WeakMap<pg.ClientBase, Promise<Identity | null>> = new WeakMap();

/** Asked once for each connection. Null where the user may not ask, or the server is too old or a standby. */
export function identityOf(client: pg.ClientBase): Promise<Identity | null> {
  let identity = identities.get(client);
  if (identity === undefined) {
    identity = ask(client);
    identities.set(client, identity);
  }
  return identity;
}

async function ask(client: pg.ClientBase): Promise<Identity | null> {
  try {
    const { rows } = await client.query<Identity>(IDENTITY);
    return rows[0] ?? null;
  } catch {
    // A connection that broke here breaks at the next statement too.
    return null;
  }
}

export function isSame(before: Identity | null, now: Identity | null): boolean {
  return before !== null && now !== null && before.system === now.system && before.timeline === now.timeline;
}

/** Null for a transaction that has written nothing. */
export async function transactionIdOf(client: pg.ClientBase): Promise<TransactionId | null> {
  const { rows } = await client.query<{ id: string | null }>('select txid_current_if_assigned()::text as id');
  return rows[0]?.id ?? null;
}

const PAUSE_MILLIS = 100;
/** The old session may still be at its COMMIT, but not for long unless something holds it. */
const ATTEMPTS = 20;

/** What the server's own record says of a transaction. It was begun on this very server, restarted or not. */
export async function askStatus(
  client: pg.ClientBase,
  before: Identity | null,
  id: TransactionId,
  clock: Clock,
): Promise<Resolution> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    switch (await statusOf(client, id)) {
      case 'aborted':
      // It never reached the disk of a server that crashed.
      case 'in the future':
        return 'rolled-back';
      case 'committed':
        return (await isOurs(client, before, id)) ? 'committed' : 'unknown';
      case 'in progress':
        await new Promise<void>((resolve) => clock.setAwaited(resolve, PAUSE_MILLIS));
        break;
      default:
        return 'unknown';
    }
  }
  return 'unknown';
}

async function statusOf(client: pg.ClientBase, id: TransactionId): Promise<string | null> {
  try {
    const { rows } = await client.query<{ status: string | null }>('select txid_status($1::bigint) as status', [id]);
    return rows[0]?.status ?? null;
  } catch (error) {
    // invalid_parameter_value is all that the function itself can refuse with.
    if ((error as { readonly code?: unknown }).code === '22023') return 'in the future';
    throw error;
  }
}

/**
 * Is the transaction with this id still the one that we ran? A server that crashed gives an id again that never
 * reached its disk. The checkpoint that ends its recovery, known by its log position, says which one is the next then.
 */
const IS_OURS = `
  select pg_postmaster_start_time()::text = $1 or (checkpoint_lsn = redo_lsn
    and split_part(next_xid, ':', 1)::numeric * 4294967296 + split_part(next_xid, ':', 2)::numeric > $2::numeric) as ours
  from pg_control_checkpoint()`;

async function isOurs(client: pg.ClientBase, before: Identity | null, id: TransactionId): Promise<boolean> {
  const { rows } = await client.query<{ ours: boolean }>(IS_OURS, [before?.startedAt ?? '', id]);
  return rows[0]?.ours === true;
}
