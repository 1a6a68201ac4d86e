/** What a server says that sessions of its own do, for those whose reply does not come. */
export interface SessionList {
  /** Which server says so, and in which of its lives: there may be several behind one address. */
  readonly server: string;
  /** The session that asked; null where the server does not know it by the number that the login gave: a pooler invents them. */
  readonly own: Session | null;
  readonly sessions: ReadonlyMap<number, Session>;
  /** How exactly {@link Session.idleSince} is known. */
  readonly resolutionMillis: number;
}

export interface Session {
  /** Since when it waits for its client, in milliseconds on a clock that goes on from list to list; null while it works. */
  readonly idleSince: number | null;
  /** How long ago it began; null where the server does not say. */
  readonly ageMillis: number | null;
  /** Its client's end as the server sees it, `address:port`; null where it does not say. */
  readonly client: string | null;
}

/** A connection whose reply does not come. */
export interface Claim {
  readonly id: number;
  readonly ageMillis: number;
  /** This end of it, `address:port`. */
  readonly client: string;
}

/** The server has said so many times in a row that the session waits for us, while we wait for it. */
export interface Idleness {
  readonly server: string;
  readonly since: number;
  readonly times: number;
  /** It is known to be the session of this connection by more than its number, which another server may give as well. */
  readonly certain: boolean;
}

/** The age of a connection is known to the watch's next look, and a proxy may have taken a while to dial on. */
const AGE_TOLERANCE_MILLIS = 2_000;

/** Nothing but the session of this very connection, and only if it did nothing between two lists. */
export function afterList(before: Idleness | null, list: SessionList, claim: Claim, direct: boolean): Idleness | null {
  const session = list.own === null ? undefined : list.sessions.get(claim.id);
  if (session === undefined || session.idleSince === null) return null;
  const { ageMillis, client, idleSince: since } = session;
  if (ageMillis !== null && Math.abs(ageMillis - claim.ageMillis) > AGE_TOLERANCE_MILLIS) return null;
  // What comes from one host of ours comes by one way.
  if (direct ? client !== claim.client : hostOf(client) !== hostOf(list.own?.client ?? null)) return null;
  const { server, resolutionMillis } = list;
  const goesOn = before?.server === server && Math.abs(before.since - since) <= resolutionMillis;
  const times = goesOn ? before.times + 1 : 1;
  return { server, since, times, certain: direct || ageMillis !== null };
}

function hostOf(end: string | null): string | null {
  return end === null ? null : end.slice(0, end.lastIndexOf(':'));
}

/** It has done nothing between two lists, though it had what it is to do. */
const LOST_AFTER_TIMES = 2;
/** Where several servers share an address, another one would have answered by then. */
const LOST_AFTER_TIMES_UNCERTAIN = 3;
/** From one list to the next, while the server says that it waits for us. */
export const NEXT_LIST_MILLIS = 400;

export function isLost({ times, certain }: Idleness): boolean {
  return times >= (certain ? LOST_AFTER_TIMES : LOST_AFTER_TIMES_UNCERTAIN);
}
