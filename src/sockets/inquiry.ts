import type { Clock } from '../clock.js';
import { type Service, ServiceMap } from '../endpoint/address.js';
import { deadline } from './deadline.js';
import { type Evidence, evidenceOf, isOver, isRefused, type Verdict, verdictOf } from './evidence.js';
import { ByteMarks } from './heard.js';
import { endsOf } from './flows.js';
import type { Kernel } from './kernel.js';
import { canPing } from './ping.js';
import { ProbeSocket } from './probe-socket.js';
import type { FollowedSocket } from './followed-socket.js';

/** How a service is asked whether it lives: twice, and the first question stays open while the second one is. */
export interface Inquiry {
  readonly service: Service;
  readonly clock: Clock;
  /**
   * Puts a question on a fresh socket; null where nobody knows how, so that only idle connections can be asked. What it
   * returns settles when the socket may be closed, null if it may be at any time.
   */
  readonly ask: ((socket: ProbeSocket, round: Round) => Promise<unknown> | null) | null;
  /** Open connections to the service: a byte on any of them is as good an answer as any. */
  readonly sockets: readonly FollowedSocket[];
  /** Those of them that may be pinged. */
  readonly idle: readonly FollowedSocket[];
  /** Is the service where the name points? Only there may a question send a password. */
  readonly present: boolean;
  /** The round from which on they are. A ping is work for a session of the pool, and behind a pooler it may have to wait. */
  readonly pingFrom: Round;
  readonly kernel: Kernel;
  /** From the first question to the second. */
  readonly boundMillis: number;
  /** For how long nothing may be heard in all, where only new connections can be asked: a server may be slow to take one. */
  readonly silenceMillis: number;
  /** The first question was not answered in its time. */
  readonly onUnanswered: () => void;
}

export type Round = 'first' | 'second';

export interface Found {
  readonly verdict: Verdict;
  /** It lives, and takes no connections. */
  readonly refused: boolean;
}

/** How long a driver may take to end the login that its question was, once the answer is known. */
const LINGER_MILLIS = 10_000;

/** Under way: one to a service at a time in this process, whoever wants to know. */
const underWay: ServiceMap<Asking> = new ServiceMap();

/** Joins whoever asks the same service already, but for one that the name has left, where there is less time. */
export async function inquire(inquiry: Inquiry): Promise<Found> {
  const { service, present } = inquiry;
  if (!present) return await new Asking(inquiry).found;
  let asking = underWay.get(service);
  if (asking === undefined) {
    asking = new Asking(inquiry);
    underWay.set(service, asking);
    void asking.found.then(() => underWay.delete(service));
  }
  return await asking.found;
}

class Asking {
  readonly found: Promise<Found>;
  readonly #inquiry: Inquiry;
  readonly #fresh: ProbeSocket[] = [];
  readonly #busy: Map<ProbeSocket, Promise<unknown>> = new Map();
  readonly #pinged: FollowedSocket[] = [];
  /** Without a byte, as far as they are not life: then nothing was asked. */
  readonly #settledPings: Set<FollowedSocket> = new Set();
  readonly #marks: ByteMarks<FollowedSocket> = new ByteMarks();
  #settle: (found: Found) => void = () => {};
  #callOff: () => void = () => {};
  #over = false;

  constructor(inquiry: Inquiry) {
    this.#inquiry = inquiry;
    this.found = new Promise<Found>((resolve) => (this.#settle = resolve));
    for (const socket of inquiry.sockets) this.#marks.grew(socket);
    this.#put('first');
    this.#wait(inquiry.boundMillis, () => this.#again());
  }

  #again(): void {
    const { boundMillis, silenceMillis, onUnanswered } = this.#inquiry;
    onUnanswered();
    this.#put('second');
    const restMillis = silenceMillis - 2 * boundMillis;
    const judge = (): void => void this.#judge();
    this.#wait(boundMillis, () => {
      void this.#mayBeSlow().then((slow) => (slow && restMillis > 0 ? this.#wait(restMillis, judge) : judge()));
    });
  }

  /** A server that may only be slow to take a session answers the connection request, and those that it has. */
  async #mayBeSlow(): Promise<boolean> {
    const reached = this.#fresh.some(({ question: { kind } }) => kind === 'reached');
    return reached && !(await this.#ofPings()).includes('silence');
  }

  #wait(millis: number, passed: () => void): void {
    if (this.#over) return;
    this.#callOff = deadline(this.#inquiry.clock, millis, passed, () => {
      if (this.#heard()) this.#end('alive');
      return false;
    });
  }

  #put(round: Round): void {
    const { ask, idle, pingFrom, present, service } = this.#inquiry;
    if (ask !== null) {
      const socket = new ProbeSocket(service.address, present);
      this.#fresh.push(socket);
      socket.on('question', () => this.#onFresh(socket));
      try {
        const busy = ask(socket, round);
        if (busy !== null)
          this.#busy.set(
            socket,
            busy.catch(() => {}),
          );
      } catch {
        socket.destroy();
      }
    }
    if (pingFrom === 'second' && round === 'first') return;
    // Another one in each round, as far as there are any.
    const pinged = idle.find((socket) => canPing(socket) && !this.#pinged.includes(socket));
    if (pinged === undefined) return;
    this.#pinged.push(pinged);
    const settled = (): void => void this.#settledPings.add(pinged);
    pinged.connection?.ping?.().then(settled, settled);
  }

  #onFresh({ question }: ProbeSocket): void {
    if (!isOver(question)) return;
    const evidence = evidenceOf(question);
    if (evidence === 'life') this.#end('alive', isRefused(question));
    // This side failed, and would again.
    if (evidence === 'none') this.#end('unknown');
  }

  #heard(): boolean {
    let heard = false;
    for (const socket of this.#inquiry.sockets) heard = this.#marks.grew(socket) || heard;
    return heard;
  }

  async #judge(): Promise<void> {
    const [first, second] = this.#fresh.length > 0 ? this.#fresh.map(evidenceOfSocket) : await this.#ofPings();
    this.#end(verdictOf(first ?? 'none', second ?? 'none'));
  }

  /** Where only one could be asked, its silence counts for the whole time. */
  async #ofPings(): Promise<Evidence[]> {
    const [first = 'none', second = first] = await Promise.all(this.#pinged.map((socket) => this.#ofPing(socket)));
    return [first, second];
  }

  /** A flow that has died alone says nothing of its server. */
  async #ofPing(socket: FollowedSocket): Promise<Evidence> {
    if (socket.destroyed || this.#settledPings.has(socket)) return 'none';
    const [facts] = await this.#inquiry.kernel.look([endsOf(socket)]);
    return facts != null && facts.unanswered > 0 ? 'none' : 'silence';
  }

  #end(verdict: Verdict, refused: boolean = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#callOff();
    for (const socket of this.#fresh) this.#close(socket);
    this.#settle({ verdict, refused });
  }

  #close(socket: ProbeSocket): void {
    const busy = this.#busy.get(socket);
    if (busy === undefined || socket.question.kind === 'dialling') return void socket.destroy();
    socket.unref();
    const { clock } = this.#inquiry;
    const timer = clock.set(() => socket.destroy(), LINGER_MILLIS);
    const done = (): void => {
      clock.clear(timer);
      socket.destroy();
    };
    void busy.then(done);
  }
}

function evidenceOfSocket({ question }: ProbeSocket): Evidence {
  return evidenceOf(question);
}
