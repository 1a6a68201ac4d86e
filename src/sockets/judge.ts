import type { Clock } from '../clock.js';
import type { Service } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import type { Prober, Reply } from './connection.js';
import { deadline } from './deadline.js';
import { inquire } from './inquiry.js';
import type { Kernel } from './kernel.js';
import { canPing } from './ping.js';
import { ProbeSocket } from './probe-socket.js';
import type { FollowedSocket } from './followed-socket.js';

const FIRST_PAUSE_MILLIS = 1_000;
const LONGEST_PAUSE_MILLIS = 30_000;
/** The name itself speaks against the server, so its time for an answer is shorter than where it is only busy. */
const HASTE = 0.5;
/** One that takes the connection may be slow to speak. */
const SLOW_TO_SPEAK = 6;

/** One service, and who can ask it. */
export interface Judged {
  readonly service: Service;
  /** The open connections to it, and those of them that nobody uses. */
  readonly sockets: readonly FollowedSocket[];
  readonly idle: readonly FollowedSocket[];
  readonly pingBoundMillis: number;
  readonly prober: Prober | undefined;
}

/**
 * Finds out whether the server at an address lives, and what it is, when the name itself gives reason to doubt it. Asks ever
 * less often while the answer is yes.
 */
export class Judge {
  readonly #clock: Clock;
  readonly #kernel: Kernel;
  #busy = false;
  #notBefore = 0;
  #pause = FIRST_PAUSE_MILLIS;

  constructor(clock: Clock, kernel: Kernel) {
    this.#clock = clock;
    this.#kernel = kernel;
  }

  /** Null when it is too early to ask again, where nobody is there to ask, and where nothing could be learned. */
  async examine(judged: Judged): Promise<Condition | null> {
    if (this.#busy || this.#clock.now() < this.#notBefore) return null;
    this.#busy = true;
    try {
      const condition = await this.#conditionOf(judged);
      this.#pause =
        condition === 'usable' || condition === 'read-only'
          ? Math.min(LONGEST_PAUSE_MILLIS, this.#pause * 2)
          : FIRST_PAUSE_MILLIS;
      return condition;
    } finally {
      this.#busy = false;
      this.#notBefore = this.#clock.now() + this.#pause;
    }
  }

  async #conditionOf({ service, sockets, pingBoundMillis, prober, ...judged }: Judged): Promise<Condition | null> {
    const idle = judged.idle.filter(canPing);
    if (prober === undefined && idle.length === 0) return null;
    const boundMillis = prober === undefined ? pingBoundMillis : HASTE * prober.timeoutMillis;
    const logins: Promise<Reply | null>[] = [];
    const logIn = (socket: ProbeSocket, asking: Prober): Promise<unknown> => {
      const login = this.#inTime(asking.login(socket), asking.timeoutMillis);
      logins.push(login);
      return login;
    };
    const { verdict, refused } = await inquire({
      service,
      sockets,
      idle,
      clock: this.#clock,
      kernel: this.#kernel,
      present: true,
      // The first question is a login, which tells what the server is as well.
      ask:
        prober === undefined
          ? null
          : (socket, round) => (round === 'first' ? logIn(socket, prober) : prober.ask(socket)),
      pingFrom: prober === undefined ? 'first' : 'second',
      boundMillis,
      silenceMillis: SLOW_TO_SPEAK * boundMillis,
      onUnanswered: () => {},
    });
    if (verdict !== 'alive') return verdict === 'dead' ? 'dead' : null;
    if (refused) return 'refusing';
    // A login that fails on this side, or takes long, leaves us with a server that lives.
    return (await logins[0]) ?? 'usable';
  }

  #inTime(login: Promise<Reply>, millis: number): Promise<Reply | null> {
    return new Promise((resolve) => {
      const callOff = deadline(this.#clock, millis, () => resolve(null));
      login.finally(callOff).then(resolve, () => resolve(null));
    });
  }
}
