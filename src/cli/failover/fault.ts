import { nearest } from '../../options.js';
import type { Scene } from './scene.js';

/** What happens to the old server and to the name. */
export type Fault =
  | 'kill'
  | 'kill-late'
  | 'silent'
  | 'silent-late'
  | 'alive'
  | 'flicker'
  | 'demoted'
  | 'sigstop'
  | 'slow-start'
  | 'dns-drop'
  | 'dns-servfail'
  | 'dns-empty'
  | 'public';

export interface FaultSpec {
  /** One line for people. */
  readonly description: string;
  /** How long a client must have known the old address before, beside the load's own time. */
  readonly stableMillis: number;
  /** How long after t = 0 something still happens by itself: no watch ends before. */
  readonly eventfulMillis: number;
  /** How long a client is watched after t = 0 unless it recovers. */
  readonly watchMillis: number;
  /**
   * Resolves when the change counts, which is t = 0: the DNS server gives the new answer, and the fault is in force. The
   * scene takes everything back afterwards.
   */
  readonly inflict: (scene: Scene) => Promise<void>;
}

const LATE_MILLIS = 2_000;
const VERY_LATE_MILLIS = 5_000;
/** A fence comes first in a planned switch, the name some moments after it. */
const FENCED_MILLIS = 1_000;
const STARTING_MILLIS = 2_000;
const FLICKER_MILLIS = 3_000;
/** Only an address that had been the name's for 10 s has anything that a flicker could bring back (`returnAfterMillis`). */
const SETTLED_MILLIS = 10_000;

const DEFAULTS = { stableMillis: 0, eventfulMillis: 0, watchMillis: 5_000 } as const;

const SPECS: Readonly<Record<Fault, FaultSpec>> = {
  kill: {
    ...DEFAULTS,
    description: 'the old server is killed, the name moves at once',
    async inflict(scene) {
      // Within one turn of the event loop, so nobody can ask between the two.
      await scene.move();
      scene.kill();
    },
  },
  'kill-late': {
    ...DEFAULTS,
    description: 'the old server is killed, the name moves 2 s later',
    async inflict(scene) {
      scene.kill();
      await scene.wait(LATE_MILLIS);
      await scene.move();
    },
  },
  silent: {
    ...DEFAULTS,
    description: 'the old server falls silent, the name moves at once',
    async inflict(scene) {
      await scene.silence();
      await scene.move();
    },
  },
  'silent-late': {
    ...DEFAULTS,
    description: 'the old server falls silent, the name moves 5 s later',
    async inflict(scene) {
      await scene.silence();
      await scene.wait(VERY_LATE_MILLIS);
      await scene.move();
    },
  },
  alive: {
    ...DEFAULTS,
    description: 'the old server is alive, the name moves',
    inflict: (scene) => scene.move(),
  },
  flicker: {
    ...DEFAULTS,
    stableMillis: SETTLED_MILLIS,
    eventfulMillis: FLICKER_MILLIS,
    description:
      'the old server is alive; for 3 s the name answers with the new and the old one in turn, then with the new',
    inflict: (scene) => scene.flicker(FLICKER_MILLIS),
  },
  demoted: {
    ...DEFAULTS,
    description: 'the old server is made read-only in place, the name moves 1 s later',
    async inflict(scene) {
      await scene.demote();
      await scene.wait(FENCED_MILLIS);
      await scene.move();
    },
  },
  sigstop: {
    ...DEFAULTS,
    description: "the old server's processes are stopped (SIGSTOP; TCP still answers), the name moves at once",
    async inflict(scene) {
      await scene.suspend();
      await scene.move();
    },
  },
  'slow-start': {
    ...DEFAULTS,
    eventfulMillis: STARTING_MILLIS,
    description:
      'the old server is killed, the name moves at once to one that is starting for 2 s more (57P03; MySQL refuses)',
    async inflict(scene) {
      await scene.startSlowly(STARTING_MILLIS);
      await scene.move();
      scene.kill();
    },
  },
  'dns-drop': dnsOutage('drop', 'no DNS server answers'),
  'dns-servfail': dnsOutage('servfail', 'the DNS server answers SERVFAIL'),
  'dns-empty': dnsOutage('empty', 'the DNS server answers with no address'),
  public: dnsOutage('public', 'the name answers with its public address'),
};

/** The DNS fails when it is needed most: while the server is dead and the name moves. */
function dnsOutage(kind: 'drop' | 'servfail' | 'empty' | 'public', what: string): FaultSpec {
  return {
    ...DEFAULTS,
    description: `the old server is killed and ${what}; 2 s later it answers with the new server's address`,
    async inflict(scene) {
      scene.kill();
      scene.failDns(kind);
      await scene.move();
      await scene.wait(LATE_MILLIS);
      scene.mendDns();
    },
  };
}

export const FAULTS: readonly Fault[] = Object.keys(SPECS) as Fault[];

/** Names for several at once, and names that they had. */
const ALIASES: Readonly<Record<string, readonly Fault[]>> = {
  all: FAULTS,
  dns: ['dns-drop', 'dns-servfail', 'dns-empty'],
  killed: ['kill'],
  late: ['kill-late'],
};

export function specOf(fault: Fault): FaultSpec {
  return SPECS[fault];
}

/** @throws with the nearest name */
export function faultsNamed(given: string): readonly Fault[] {
  const name = given.trim().toLowerCase();
  const one = FAULTS.find((fault) => fault === name);
  if (one !== undefined) return [one];
  const several = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (several !== undefined) return several;
  throw new Error(`no fault '${given}'; did you mean '${nearest(name, [...FAULTS, ...Object.keys(ALIASES)])}'?`);
}
