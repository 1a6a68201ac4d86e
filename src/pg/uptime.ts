import type pg from 'pg';
import type { Uptime } from '../sockets/uptime.js';
import { processIdOf } from './internals.js';

/**
 * After the crash of a session the server ends all of them and recovers, and its postmaster goes on. It throws its
 * statistics away then (PostgreSQL manual, "The Cumulative Statistics System"); that both of these are as young is no
 * reset of one by hand.
 */
const UPTIME = `
  select (extract(epoch from clock_timestamp() - pg_postmaster_start_time()) * 1000)::text as started,
    (extract(epoch from clock_timestamp() - least(b.stats_reset, a.stats_reset)) * 1000)::text as recovered,
    pg_backend_pid()::text as pid
  from pg_stat_bgwriter as b, pg_stat_archiver as a`;

interface Row {
  readonly started: string;
  readonly recovered: string | null;
  readonly pid: string;
}

/** Null where the login gave another number than the session has: a pooler's sessions are not the server's. */
export async function uptimeOf(client: pg.ClientBase): Promise<Uptime | null> {
  const { rows } = await client.query<Row>({ text: UPTIME, types: { getTypeParser: () => String } });
  const [row] = rows;
  if (row === undefined || Number(row.pid) !== processIdOf(client)) return null;
  const recovered = row.recovered === null ? {} : { recoveredMillis: Number(row.recovered) };
  return { millis: Number(row.started), resolutionMillis: 1, ...recovered };
}
