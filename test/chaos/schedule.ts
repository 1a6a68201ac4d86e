import { type Incident, INCIDENTS } from './incident.js';
import { type Local, LOCALS } from './local.js';

/** What befalls the server that the name leaves. */
export type Fault =
  /** Nothing: it lives on. */
  | 'alive'
  /** Its connections are reset, new ones are refused. */
  | 'killed'
  /** Its processes get SIGKILL. */
  | 'crashed'
  /** Nothing is read, answered or closed. */
  | 'silent'
  /** Its processes get SIGSTOP. */
  | 'stopped'
  /** It takes no writes any more, and is far away. */
  | 'demoted'
  /** A device forgot its flows, and every packet takes long: logins are under way when the name moves. */
  | 'slow';

/** How the name moves. */
export type Naming =
  | 'at once'
  /** Resolvers disagree for a while. */
  | 'flicker'
  /** To an address that it has left before. */
  | 'return'
  /** The DNS server gives no usable answer for a while, the move is in the middle of it. */
  | 'servfail'
  | 'drop'
  | 'empty';

/** A fault that the application has of its own while a failover goes on, and before it. */
export interface LocalTrouble {
  readonly local: Local;
  /** For how long the servers are well meanwhile. */
  readonly calmMillis: number;
}

/** One failover. All of it is drawn from the seed. */
export interface Failover {
  readonly number: number;
  readonly fault: Fault;
  readonly naming: Naming;
  /** How long after the fault the name moves. */
  readonly lateMillis: number;
  /** How long flicker and outage of the DNS last, and how slow a slow server is. */
  readonly troubleMillis: number;
  readonly slowMillis: number;
  /** The name is at the new server before that takes writes. */
  readonly nameFirst: boolean;
  /** How long it is quiet before the fault. */
  readonly pauseMillis: number;
  readonly trouble: LocalTrouble | null;
  /** So many callers come at once, right before the fault. */
  readonly crowd: number;
  /** So many statements are begun before the trouble that are longer than a server may be silent unasked. */
  readonly long: number;
  readonly incident: Incident | null;
}

export const FAULTS: readonly Fault[] = ['alive', 'killed', 'crashed', 'silent', 'stopped', 'demoted', 'slow'];
export const NAMINGS: readonly Naming[] = ['at once', 'flicker', 'return', 'servfail', 'drop', 'empty'];

/** So many of a hundred names move at once; the others share the rest. */
const AT_ONCE_PERCENT = 50;
const LOCAL_PERCENT = 40;
const CROWD_PERCENT = 6;
const CROWD = 2_000;
/** Of a server that takes four sessions: more would wait for their turn for as long as this machine is slow, which no pool ends. */
const CROWD_WHEN_FULL = 200;
/** So many of a hundred troubles last so long without a fault of a server that long statements live through them. */
const CALM_PERCENT = 20;
const CALM_MILLIS = 7_500;
export const LONG: number = 4;
const LATE_PERCENT = 30;
const LATEST_MILLIS = 1_500;
const NAME_FIRST_PERCENT = 30;
const INCIDENT_PERCENT = 25;
/** Incidents are drawn by themselves: a seed of before gives the failovers of before. */
const OTHER_SEED = 0x5b_d1_e9_95;

/** The same seed gives the same failovers. Every fault comes once before any comes again. */
export function* schedule(
  seed: number,
  faults: readonly Fault[] = FAULTS,
  locals: readonly Local[] = LOCALS,
  incidents: readonly Incident[] = INCIDENTS,
): Generator<Failover, never> {
  const upTo = drawFrom(seed);
  const incidentUpTo = drawFrom(seed ^ OTHER_SEED);
  const troubles = NAMINGS.filter((naming) => naming !== 'at once');
  let left: Fault[] = [];
  for (let number = 1; ; number++) {
    if (left.length === 0) left = [...faults];
    const [fault] = left.splice(upTo(left.length), 1) as [Fault];
    // A reset alone is no failover: what it cuts off is run again only if the name has moved before a login has ended.
    const prompt = fault === 'slow';
    const isTroubled = locals.length > 0 && upTo(100) < LOCAL_PERCENT;
    const isCalm = isTroubled && upTo(100) < CALM_PERCENT;
    const drawn: Omit<Failover, 'crowd' | 'long' | 'incident'> = {
      number,
      fault,
      naming: prompt || upTo(100) < AT_ONCE_PERCENT ? 'at once' : troubles[upTo(troubles.length)]!,
      lateMillis: !prompt && upTo(100) < LATE_PERCENT ? upTo(LATEST_MILLIS) : 0,
      troubleMillis: 100 + upTo(700),
      slowMillis: (prompt ? 150 : 50) + upTo(50),
      nameFirst: upTo(100) < NAME_FIRST_PERCENT,
      pauseMillis: upTo(300),
      trouble: isTroubled
        ? { local: locals[upTo(locals.length)]!, calmMillis: isCalm ? CALM_MILLIS : upTo(600) }
        : null,
    };
    const isCrowded = upTo(100) < CROWD_PERCENT;
    yield {
      ...drawn,
      crowd: isCrowded ? (drawn.trouble?.local === 'full' ? CROWD_WHEN_FULL : CROWD) : 0,
      long: isCalm ? LONG : 0,
      incident:
        incidents.length > 0 && incidentUpTo(100) < INCIDENT_PERCENT
          ? incidents[incidentUpTo(incidents.length)]!
          : null,
    };
  }
}

function drawFrom(seed: number): (limit: number) => number {
  const random = randomFrom(seed);
  return (limit) => Math.floor(random() * limit);
}

/** Mulberry32: numbers from 0 to less than 1. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
