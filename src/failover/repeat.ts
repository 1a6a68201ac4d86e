import type { Clock } from '../clock.js';
import type { MoveEvent } from '../endpoint/endpoint-events.js';
import { isEipPoolError } from '../errors.js';
import { type Outcome, outcomeOf } from '../outcome/outcome.js';
import type { Again } from '../outcome/replay.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { type LostSession, type Succession, successionOf, type Uptime } from '../sockets/uptime.js';

/** How a driver lends its connections. */
export interface Lender<Connection> {
  lease(): Promise<Connection>;
  ask(connection: Connection, statement: string): Promise<unknown>;
  /** Closes one that broke. */
  discard(connection: Connection): void;
}

/**
 * A connection to a server that answers: the first statement proves it, and where its connection breaks another one is
 * taken, since a pool learns only one after the other that the connections to a dead server are gone.
 * @throws what the pool or the server said, or what the last connection failed with after `withinMillis`
 */
export async function leaseAnswering<Connection>(
  { lease, ask, discard }: Lender<Connection>,
  first: string,
  clock: Clock,
  withinMillis: number,
): Promise<Connection> {
  const until = clock.now() + withinMillis;
  for (;;) {
    const connection = await lease();
    try {
      await ask(connection, first);
      return connection;
    } catch (error) {
      discard(connection);
      if (outcomeOf(error) === undefined || clock.now() >= until) throw error;
    }
  }
}

/** A statement that failed on its connection. */
export interface Lost {
  readonly error: Error;
  readonly outcome: Outcome | undefined;
  /** Where it ran; null if nobody knows. */
  readonly session: LostSession | null;
}

/** A session that has just been lost; null if it was nowhere. `said`: by a word of its server, which was there until then. */
export function lostSession(socket: TrackedSocket, said: boolean, now: number): LostSession | null {
  const { service, openedAt, connection } = socket;
  if (service === null) return null;
  const sessionId = connection?.sessionId ?? null;
  return { service, sessionId, knownAt: said ? now : (openedAt ?? now), lostAt: now };
}

/** How it is repeated. */
export interface Repetition<Connection, Result> {
  /** A good connection, however long that takes. */
  lease(): Promise<Connection>;
  socketOf(connection: Connection): TrackedSocket | undefined;
  /** For how long its server has run; null where it does not say, or a pooler speaks for it. */
  uptime(connection: Connection): Promise<Uptime | null>;
  run(connection: Connection): Promise<Result>;
  giveBack(connection: Connection): Promise<void> | void;
}

/**
 * How often a server is looked at that has not gone: one that goes ends its sessions one after the other, so once more.
 * Where a server that tells whole seconds may have begun before the session or after it: for longer than one of them.
 */
const LOOKS: Readonly<Record<Exclude<Succession, 'yes'>, number>> = { no: 2, unsure: 6 };
const NEXT_LOOK_MILLIS = 250;

/**
 * Design, pools rule 5: repeats it if, once there is a good connection, the server that ran it is gone. Rejects with
 * anything if that is not so, or it could not be done.
 */
export async function repeatIfAbandoned<Connection, Result>(
  endpoint: Endpoint,
  { error, session }: Lost,
  { lease, socketOf, uptime, run, giveBack }: Repetition<Connection, Result>,
): Promise<Result> {
  let gone = isDead(error) || session === null || !endpoint.has(session.service.address);
  const onMove = ({ to }: MoveEvent): void => void (gone ||= !to.includes(session?.service.address ?? ''));
  const fateOf = async (connection: Connection): Promise<Fate> => {
    const fate = session === null ? 'yes' : fateKnownTo(endpoint, session, socketOf(connection));
    return fate === 'here' ? await fateSaid(endpoint, session!, () => uptime(connection)) : fate;
  };
  endpoint.on('move', onMove);
  try {
    for (let looks = 1; ; looks++) {
      const connection = await lease();
      let fate: Fate;
      try {
        fate = gone ? 'yes' : await fateOf(connection);
        if (fate === 'yes') return await run(connection);
      } finally {
        await giveBack(connection);
      }
      // Without a connection, which others want: the other server may take its time.
      const succession = fate === 'elsewhere' ? await endpoint.successionOf(session!) : fate;
      gone ||= succession === 'yes';
      if (gone || succession === 'yes') continue;
      if (looks >= LOOKS[succession]) throw error;
      await pause(endpoint.clock, NEXT_LOOK_MILLIS);
    }
  } finally {
    endpoint.off('move', onMove);
  }
}

/** Has the server of a session that was lost gone, as a connection that answers tells? */
type Fate =
  | Succession
  /** The connection leads to another service. */
  | 'elsewhere';

/** Or `here`: the connection leads to the same service, and its server can be asked on it. */
function fateKnownTo(endpoint: Endpoint, session: LostSession, socket: TrackedSocket | undefined): Fate | 'here' {
  const at = socket?.service;
  if (at?.address !== session.service.address || at.port !== session.service.port) {
    return endpoint.isAbandoned(session) ? 'yes' : 'elsewhere';
  }
  // One of the same server's sessions, whatever else was seen there.
  if ((socket?.openedAt ?? Infinity) < session.lostAt) return 'no';
  return endpoint.isAbandoned(session) ? 'yes' : 'here';
}

async function fateSaid(
  { clock }: Endpoint,
  session: LostSession,
  ask: () => Promise<Uptime | null>,
): Promise<Succession> {
  const askedAt = clock.now();
  try {
    const uptime = await ask();
    return uptime === null ? 'no' : successionOf(uptime, session, askedAt);
  } catch {
    return 'no';
  }
}

function pause(clock: Clock, millis: number): Promise<void> {
  return new Promise((resolve) => void clock.setAwaited(resolve, millis));
}

function isDead(error: Error): boolean {
  return isEipPoolError(error) && error.code === 'ADDRESS_DEAD';
}

/** The event `replay`: of the statement its first word, never a value. */
export function tellReplay(
  endpoint: Endpoint,
  sql: string,
  { why }: Again,
  { error, outcome = 'unknown' }: Lost,
): void {
  const [statement = ''] = /[a-z]+/i.exec(sql) ?? [];
  endpoint.noteReplay(() => ({ outcome, why, statement: statement.toLowerCase(), error }));
}
