import { beforeEach, describe, expect, it } from 'vitest';
import type { Reply } from '../../src/sockets/connection.js';
import type { SocketState } from '../../src/sockets/socket-state.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';
import { isQuiet, SilenceWatch } from '../../src/sockets/watch.js';
import { FakeClock } from '../fake-clock.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];
let clock: FakeClock;
let watch: SilenceWatch;
let sockets: Set<TrackedSocket>;
let present: Set<string>;
/** What the endpoint was told, and what the servers were asked, each with its time since the start. */
let told: string[];
let asked: string[];
/** What becomes of a ping, and of a log-in; null where there is nobody who could log in. */
let ping: (socket: Fake) => Promise<void>;
let login: (() => Promise<Reply>) | null;
let ports = 0;

const never = (): Promise<never> => new Promise(() => {});
const refused = (): Promise<never> => Promise.reject(new Error('reset'));
const at = (what: string): string => `${what} at ${clock.now() - 1_000}`;

interface Doing {
  readonly leased?: boolean;
  readonly waiting?: boolean;
  readonly silenceMillis?: number;
  readonly address?: string;
  readonly kind?: SocketState['kind'];
}

/** What the watch knows of a socket. */
class Fake {
  quietMillis = 0;
  bytesRead = 100;
  state: object;
  doing: Doing;
  readonly connection: object;

  constructor(doing: Doing) {
    this.doing = doing;
    this.state = { kind: doing.kind ?? 'open', address: doing.address ?? A };
    this.connection = {
      isLeased: () => this.doing.leased ?? false,
      isWaiting: () => this.doing.waiting ?? false,
      ping: () => {
        asked.push(at('ping'));
        return ping(this);
      },
      silenceMillis: doing.silenceMillis ?? 2_000,
    };
    sockets.add(this.tracked);
  }

  get tracked(): TrackedSocket {
    return this as unknown as TrackedSocket;
  }
}

const connected = (doing: Doing): Fake => new Fake(doing);
const working = (doing: Doing = {}): Fake => new Fake({ leased: true, waiting: true, ...doing });
const idle = (doing: Doing = {}): Fake => new Fake(doing);

beforeEach(() => {
  [clock, sockets, present, told, asked] = [new FakeClock(), new Set(), new Set([A, B]), [], []];
  [ping, login] = [async () => {}, async () => 'usable'];
  const port = 5_432 + ports++;
  watch = new SilenceWatch({
    clock,
    sockets,
    has: (address) => present.has(address),
    pingBound: () => 250,
    prober: () => {
      const logIn = login;
      if (logIn === null) return undefined;
      return { port, timeoutMillis: 500, login: () => (asked.push(at('login')), logIn()) };
    },
    unanswered: (address) => told.push(at(`${address} unanswered`)),
    dead: (address) => told.push(at(`${address} dead`)),
  });
  watch.start();
});

describe('a server that is silent while work waits for it', () => {
  it('is asked on an idle connection, then by a fresh log-in, and is dead after the second silence', async () => {
    working();
    idle();
    [ping, login] = [never, never];
    await clock.advance(10_000);
    expect(asked.slice(0, 2)).toEqual(['ping at 2000', 'login at 2500']);
    expect(told.slice(0, 2)).toEqual([`${A} unanswered at 2250`, `${A} dead at 3000`]);
  });

  it('is asked by a log-in at once where no connection is idle', async () => {
    working();
    login = refused;
    await clock.advance(2_250);
    expect(asked).toEqual(['login at 2000', 'login at 2250']);
    expect(told).toEqual([`${A} unanswered at 2000`, `${A} dead at 2250`]);
  });

  it('is asked for the sake of a log-in that waits', async () => {
    connected({ kind: 'handshake', silenceMillis: 1_000 });
    login = refused;
    await clock.advance(1_000);
    expect(asked).toEqual(['login at 1000']);
  });

  it('is asked when the most impatient of those who wait has waited long enough', async () => {
    working({ silenceMillis: 5_000 });
    working({ silenceMillis: 500 });
    connected({ leased: true, silenceMillis: 250 });
    await clock.advance(500);
    expect(asked).toEqual(['login at 500']);
  });

  it.each(['usable', 'starting', 'read-only', 'refusing'] as const)('is alive where it says %s', async (reply) => {
    working();
    login = async () => reply;
    await clock.advance(60_000);
    expect(told).toEqual([]);
  });

  it('is left alone, twice as long each time up to 30 s, while it answers', async () => {
    working();
    await clock.advance(125_000);
    const due = [2_000, 6_000, 14_000, 30_000, 60_000, 90_000, 120_000];
    expect(asked).toEqual(due.map((millis) => `login at ${millis}`));
  });

  it('is as patiently watched though our own ping reads bytes, which are no progress of the work', async () => {
    working();
    idle();
    ping = async (socket) => void (socket.bytesRead += 70);
    await clock.advance(31_000);
    expect(asked).toEqual([2_000, 6_000, 14_000, 30_000].map((millis) => `ping at ${millis}`));
    expect(told).toEqual([]);
  });

  it('is suspected no more where the second question is answered', async () => {
    working();
    login = refused;
    await clock.advance(2_000);
    login = async () => 'usable';
    await clock.advance(4_000);
    expect(asked).toEqual(['login at 2000', 'login at 2250']);
    expect(told).toEqual([`${A} unanswered at 2000`]);
  });

  it('is alive where a byte comes during the question, though that is not answered', async () => {
    const work = working();
    login = never;
    await clock.advance(2_100);
    work.bytesRead++;
    await clock.advance(2_000);
    expect([asked, told]).toEqual([['login at 2000'], []]);
  });

  it('is asked one thing at a time', async () => {
    for (let i = 0; i < 5; i++) working({ silenceMillis: 250 * i });
    ping = never;
    idle();
    await clock.advance(499);
    expect(asked).toEqual(['ping at 250']);
  });

  it('is not judged where nobody can ask it', async () => {
    working();
    login = null;
    await clock.advance(100_000);
    expect(told).toEqual([]);
  });

  it('is not judged once the name has left it', async () => {
    working();
    login = never;
    await clock.advance(2_250);
    present.delete(A);
    await clock.advance(10_000);
    expect([asked, told]).toEqual([['login at 2000'], []]);
  });
});

describe('a server that is not asked', () => {
  it('is one on which a byte comes in time, on whichever connection', async () => {
    working();
    const [other, third] = [working(), idle()];
    for (let i = 0; i < 20; i++) {
      await clock.advance(1_900);
      (i % 2 === 0 ? other : third).bytesRead++;
    }
    expect(asked).toEqual([]);
  });

  it('is one for which no work waits, however silent it is', async () => {
    idle();
    connected({ leased: true });
    await clock.advance(600_000);
    expect(asked).toEqual([]);
  });

  it('is one to which only sockets that are leaving are connected', async () => {
    working({ kind: 'leaving' });
    await clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it('is one that the name has left', async () => {
    present.delete(A);
    working();
    await clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it('is the other one, on which there is life', async () => {
    const alive = working({ address: B });
    working();
    login = refused;
    for (let i = 0; i < 9; i++) {
      await clock.advance(250);
      alive.bytesRead++;
    }
    expect(told).toEqual([`${A} unanswered at 2000`, `${A} dead at 2250`]);
  });

  it('is one whose silence is no longer than the event loop could have heard it', async () => {
    working();
    await clock.advance(1_000);
    for (let i = 0; i < 3; i++) {
      clock.suspend(60_000);
      await clock.advance(0);
    }
    await clock.advance(249);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toHaveLength(1);
  });
});

describe('the watch', () => {
  it('begins with no patience again after a byte', async () => {
    const work = working();
    await clock.advance(6_000);
    work.bytesRead++;
    await clock.advance(2_250);
    expect(asked).toEqual(['login at 2000', 'login at 6000', 'login at 8250']);
  });

  it('forgets the silence of a server with the last connection to it', async () => {
    const first = working();
    await clock.advance(1_750);
    sockets.delete(first.tracked);
    idle({ address: B });
    await clock.advance(250);
    working();
    await clock.advance(1_750);
    expect(asked).toEqual([]);
    await clock.advance(250);
    expect(asked).toHaveLength(1);
  });

  it('knows for how long each connection has been quiet, whatever the event loop did meanwhile', async () => {
    const [quiet, busy] = [idle(), idle()];
    await clock.advance(9_750);
    busy.bytesRead++;
    await clock.advance(250);
    expect([quiet.quietMillis, busy.quietMillis]).toEqual([10_000, 0]);
    expect([isQuiet(quiet.tracked), isQuiet(busy.tracked)]).toEqual([true, false]);
    clock.suspend(60_000);
    await clock.advance(0);
    expect([quiet.quietMillis, busy.quietMillis]).toEqual([70_000, 60_000]);
  });

  it('ends with the last socket, and begins again with the next one', async () => {
    const work = working();
    await clock.advance(1_000);
    sockets.clear();
    await clock.advance(250);
    expect(clock.delays).toEqual([]);
    sockets.add(work.tracked);
    await clock.advance(60_000);
    watch.start();
    watch.start();
    expect(clock.delays).toEqual([250]);
    await clock.advance(1_999);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toHaveLength(1);
  });

  it('leaves no timer when it is stopped, not even between its timer and its look', async () => {
    working();
    const set = clock.set.bind(clock);
    clock.set = (fn, millis) =>
      set(() => {
        fn();
        watch.stop();
      }, millis);
    await clock.advance(250);
    await clock.advance(250);
    expect(clock.delays).toEqual([]);
  });

  it('keeps no process alive', () => {
    expect(clock.awaited).toBe(0);
  });
});
