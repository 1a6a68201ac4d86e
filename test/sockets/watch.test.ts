import { beforeEach, describe, expect, it } from 'vitest';
import { type Service, ServiceMap } from '../../src/endpoint/address.js';
import type { FlowFacts } from '../../src/sockets/kernel.js';
import type { SocketState } from '../../src/sockets/socket-state.js';
import type { FollowedSocket } from '../../src/sockets/followed-socket.js';
import { isQuiet, SilenceWatch } from '../../src/sockets/watch.js';
import { FakeClock } from '../fake-clock.js';
import { FakeProber, type Wire } from './fake-prober.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];
let clock: FakeClock;
let watch: SilenceWatch;
let sockets: Set<FollowedSocket>;
let present: Set<string>;
/** What the endpoint was told, and what the servers were asked, each with its time since the start. */
let told: string[];
let asked: string[];
let ping: (socket: Fake) => Promise<void>;
/** What becomes of a question; null where there is nobody who could ask. */
let wire: Wire | null;
let probers: ServiceMap<FakeProber>;
/** What the kernel knows of each connection. */
let facts: FlowFacts | null;
let ports = 0;

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
  bytesWritten = 100;
  readonly writableLength = 0;
  readonly destroyed = false;
  readonly localAddress = '10.0.0.7';
  readonly localPort: number = 50_000 + ports++;
  readonly remoteAddress: string;
  readonly remotePort = 5_432;
  state: object;
  doing: Doing;
  readonly connection: object;

  constructor(doing: Doing) {
    this.doing = doing;
    this.remoteAddress = doing.address ?? A;
    this.state = { kind: doing.kind ?? 'open', address: this.remoteAddress };
    this.connection = {
      isLeased: () => this.doing.leased ?? false,
      isWaiting: () => this.doing.waiting ?? false,
      ping: () => {
        asked.push(at('ping'));
        return ping(this);
      },
      silenceMillis: doing.silenceMillis ?? 2_000,
      sessionId: this.localPort,
    };
    sockets.add(this.tracked);
  }

  get service(): Service {
    return { address: this.remoteAddress, port };
  }

  get tracked(): FollowedSocket {
    return this as unknown as FollowedSocket;
  }
}

/** Each test's own, since a process asks a service one thing at a time. */
let port = 5_432;
const connected = (doing: Doing): Fake => new Fake(doing);
const working = (doing: Doing = {}): Fake => new Fake({ leased: true, waiting: true, ...doing });
const idle = (doing: Doing = {}): Fake => new Fake(doing);
const prober = (): FakeProber => probers.get({ address: A, port })!;

beforeEach(() => {
  [clock, sockets, present, told, asked] = [new FakeClock(), new Set(), new Set([A, B]), [], []];
  [ping, wire, facts] = [async () => {}, 'byte', null];
  port++;
  probers = new ServiceMap();
  for (const address of present) {
    const made = new FakeProber(port, 'byte', 500, (what) => asked.push(at(what)));
    made.wire = () => wire ?? 'lost';
    probers.set({ address, port }, made);
  }
  watch = new SilenceWatch({
    clock,
    sockets,
    kernel: { look: (flows) => Promise.resolve(flows.map(() => facts)) },
    has: (address) => present.has(address),
    pingBound: () => 250,
    prober: (service) => (wire === null ? undefined : probers.get(service)),
    unanswered: ({ address }) => told.push(at(`${address} unanswered`)),
    answered: ({ address }) => told.push(at(`${address} answered`)),
    dead: ({ address }) => told.push(at(`${address} dead`)),
    over: (socket) => void sockets.delete(socket),
    lost: (socket, why) => {
      sockets.delete(socket);
      told.push(at(why));
    },
  });
  watch.start();
});

describe('a server that is silent while work waits for it', () => {
  it('is asked, and is dead when it is silent to a second question too', async () => {
    working();
    wire = 'silent';
    await clock.advance(4_000);
    expect(asked.slice(0, 2)).toEqual(['question at 2000', 'question at 2500']);
    expect(told.slice(0, 2)).toEqual([`${A} unanswered at 2500`, `${A} dead at 3500`]);
  });

  it('is dead sooner where not even a connection is answered', async () => {
    working();
    wire = 'lost';
    await clock.advance(3_000);
    expect(told).toEqual([`${A} unanswered at 2500`, `${A} dead at 3000`]);
  });

  it('is asked on an idle connection as well where it takes no new ones', async () => {
    working();
    idle();
    [ping, wire] = [async (socket) => void (socket.bytesRead += 70), 'silent'];
    await clock.advance(3_000);
    expect(asked).toEqual(['question at 2000', 'question at 2500', 'ping at 2500']);
    expect(told).toEqual([`${A} unanswered at 2500`, `${A} answered at 2550`]);
  });

  it('is asked for the sake of a login that waits', async () => {
    connected({ kind: 'handshake', silenceMillis: 1_000 });
    await clock.advance(1_000);
    expect(asked).toEqual(['question at 1000']);
  });

  it('is asked when the most impatient of those who wait has waited long enough', async () => {
    working({ silenceMillis: 5_000 });
    working({ silenceMillis: 500 });
    connected({ leased: true, silenceMillis: 250 });
    await clock.advance(500);
    expect(asked).toEqual(['question at 500']);
  });

  it.each<Wire>(['byte', 'closed', { code: 'ECONNREFUSED' }, { code: 'ECONNRESET' }])(
    'is alive where the answer is %j',
    async (answer) => {
      working();
      wire = answer;
      await clock.advance(60_000);
      expect(told).toEqual([]);
    },
  );

  it.each<Wire>(['given up', { code: 'EMFILE' }, { code: 'ENETUNREACH' }])(
    'is not judged by what fails on this side (%j), and asked again after as long',
    async (failure) => {
      working();
      wire = failure;
      await clock.advance(6_000);
      expect([asked, told]).toEqual([[2_000, 4_000, 6_000].map((millis) => `question at ${millis}`), []]);
    },
  );

  it('is left alone, twice as long each time up to 30 s, while it answers', async () => {
    working();
    await clock.advance(125_000);
    const due = [2_000, 6_000, 14_000, 30_000, 60_000, 90_000, 120_000];
    expect(asked).toEqual(due.map((millis) => `question at ${millis}`));
  });

  it('is as patiently watched though our own ping reads bytes, which are no progress of the work', async () => {
    working();
    idle();
    [ping, wire] = [async (socket) => void (socket.bytesRead += 70), 'silent'];
    await clock.advance(13_000);
    expect(asked.filter((what) => what.startsWith('ping'))).toEqual(
      [2_500, 7_000].map((millis) => `ping at ${millis}`),
    );
  });

  it('is suspected no more where the second question is answered', async () => {
    working();
    wire = 'silent';
    await clock.advance(2_400);
    wire = 'byte';
    await clock.advance(2_000);
    expect(told).toEqual([`${A} unanswered at 2500`, `${A} answered at 2500`]);
  });

  it('is alive where a byte comes during the question, though that is not answered', async () => {
    const work = working();
    wire = 'silent';
    await clock.advance(2_100);
    work.bytesRead++;
    await clock.advance(1_900);
    expect([asked, told]).toEqual([['question at 2000'], []]);
  });

  it('is asked one thing at a time', async () => {
    for (let i = 1; i < 5; i++) working({ silenceMillis: 250 * i });
    wire = 'silent';
    await clock.advance(749);
    expect(asked).toEqual(['question at 250']);
  });

  it('is not judged where nobody can ask it', async () => {
    working();
    wire = null;
    await clock.advance(100_000);
    expect(told).toEqual([]);
  });

  it('is not judged once the name has left it', async () => {
    working();
    wire = 'silent';
    await clock.advance(2_250);
    present.delete(A);
    await clock.advance(10_000);
    expect(told.filter((what) => what.includes('dead'))).toEqual([]);
  });
});

describe('a connection that is silent while its server lives', () => {
  /** The other one is heard at each look. */
  async function pass(millis: number, other: Fake | null = null, each: () => void = () => {}): Promise<void> {
    for (let passed = 0; passed < millis; passed += 250) {
      if (other !== null) other.bytesRead++;
      each();
      await clock.advance(250);
    }
  }
  const sent = (unanswered: number): FlowFacts => ({ unacknowledged: 60, unread: 0, kept: false, unanswered });
  const ARRIVED: FlowFacts = { unacknowledged: 0, unread: 0, kept: true, unanswered: 0 };
  const NOT_SENT = 'what was sent on it is not acknowledged';

  it('is lost when what it sends is not acknowledged, though the other ones are heard', async () => {
    working({ silenceMillis: 1_000 });
    let unanswered = 0;
    await pass(2_000, idle(), () => (facts = sent(Math.floor(unanswered++ / 2))));
    expect(told).toEqual([`${NOT_SENT} at 1750`]);
    expect(asked).toEqual([]);
  });

  it('is lost as soon where no other one is there to be heard: the server is asked before it is time', async () => {
    working({ silenceMillis: 1_000 });
    let unanswered = 0;
    await pass(2_500, null, () => (facts = sent(Math.floor(unanswered++ / 2))));
    expect(asked).toEqual(['question at 1000']);
    expect(told).toEqual([`${NOT_SENT} at 2000`]);
  });

  it('is left alone for as long as what it sends arrives: its statement takes long', async () => {
    working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    await pass(60_000, idle());
    expect(told).toEqual([]);
  });

  it('is lost when keepalive, of a statement that had arrived, is not answered any more', async () => {
    working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    const other = idle();
    await pass(5_000, other);
    let unanswered = 0;
    await pass(9_000, other, () => (facts = { ...ARRIVED, unanswered: Math.floor(unanswered++ / 4) }));
    expect(told).toHaveLength(1);
  });

  it('is not lost where the kernel knows nothing, and the server cannot be asked', async () => {
    working({ silenceMillis: 1_000 });
    await pass(60_000, idle());
    expect([told, asked]).toEqual([[], []]);
  });

  it('is lost when its server waits for us too, as it says in its own list', async () => {
    const work = working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    prober().tells((ids) => ({
      server: 'one',
      own: { idleSince: null, ageMillis: 0, client: '10.0.0.9:1' },
      sessions: new Map(ids.map((id) => [id, { idleSince: 5, ageMillis: clock.now() - 1_000, client: '10.0.0.9:2' }])),
      resolutionMillis: 1,
    }));
    await pass(2_000);
    expect(asked).toEqual(['sessions at 1000', 'sessions at 1500']);
    expect(told).toEqual(['its session there waits for this side at 1500']);
    expect(sockets.has(work.tracked)).toBe(false);
  });

  it('is left alone, and asked about ever less often, down to every 10 s, while its session works', async () => {
    working({ silenceMillis: 1_000 });
    const other = idle();
    facts = ARRIVED;
    prober().tells((ids) => ({
      server: 'one',
      own: { idleSince: null, ageMillis: 0, client: '10.0.0.9:1' },
      sessions: new Map(ids.map((id) => [id, { idleSince: null, ageMillis: null, client: '10.0.0.9:2' }])),
      resolutionMillis: 1,
    }));
    await pass(60_000, other);
    expect(told).toEqual([]);
    expect(asked).toEqual(
      [1_250, 4_250, 14_250, 24_250, 34_250, 44_250, 54_250].map((millis) => `sessions at ${millis}`),
    );
  });

  it('behind a pooler is not judged by the pooler’s list: it gives numbers of its own', async () => {
    working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    prober().tells(() => ({ server: '', own: null, sessions: new Map(), resolutionMillis: 1 }));
    await pass(10_000);
    expect(asked).toEqual(['sessions at 1000', 'question at 3000', 'question at 7000']);
    expect(told).toEqual([]);
  });

  it('behind several servers is not judged by what one of them says', async () => {
    working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    let turn = 0;
    prober().tells((ids) => ({
      server: `server ${turn++ % 2}`,
      own: { idleSince: null, ageMillis: 0, client: '10.0.0.9:1' },
      sessions: new Map(ids.map((id) => [id, { idleSince: 5, ageMillis: null, client: '10.0.0.9:2' }])),
      resolutionMillis: 1,
    }));
    await pass(30_000);
    expect(told).toEqual([]);
    expect(asked.filter((what) => what.startsWith('sessions'))).toHaveLength(2);
  });

  it('is not asked about where two have the same number: there are several servers', async () => {
    for (const work of [working({ silenceMillis: 1_000 }), working({ silenceMillis: 1_000 })]) {
      Object.assign(work.connection, { sessionId: 7 });
    }
    facts = ARRIVED;
    prober().tells(() => ({ server: '', own: null, sessions: new Map(), resolutionMillis: 1 }));
    await pass(1_000);
    expect(asked).toEqual(['question at 1000']);
  });

  it('is left to the kernel where nothing is between us and the server', async () => {
    working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    prober().tells(() => ({
      server: 'one',
      own: { idleSince: null, ageMillis: 0, client: 'null:undefined' },
      sessions: new Map(),
      resolutionMillis: 1,
    }));
    await pass(10_000);
    expect(asked).toEqual(['sessions at 1000', 'question at 3000', 'question at 7000']);
  });

  it('may have been sent more than its server has read by then', async () => {
    const work = working({ silenceMillis: 1_000 });
    facts = ARRIVED;
    await pass(250);
    work.bytesWritten += 10_000_000;
    prober().tells((ids) => ({
      server: 'one',
      own: { idleSince: null, ageMillis: 0, client: '10.0.0.9:1' },
      sessions: new Map(ids.map((id) => [id, { idleSince: 5, ageMillis: clock.now() - 1_000, client: '10.0.0.9:2' }])),
      resolutionMillis: 1,
    }));
    await pass(60_000);
    expect(told).toEqual([]);
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
    wire = 'lost';
    for (let i = 0; i < 12; i++) {
      await clock.advance(250);
      alive.bytesRead++;
    }
    expect(told).toEqual([`${A} unanswered at 2500`, `${A} dead at 3000`]);
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
    expect(asked).toEqual(['question at 2000', 'question at 6000', 'question at 8250']);
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
