import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Found, inquire, type Inquiry } from '../../src/sockets/inquiry.js';
import type { FlowFacts } from '../../src/sockets/kernel.js';
import { abandonProbes, ProbeSocket } from '../../src/sockets/probe-socket.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';
import { FakeClock, settled } from '../fake-clock.js';
import { FakeProber, type Wire } from './fake-prober.js';

const ADDRESS = '10.0.0.1';
let clock: FakeClock;
let prober: FakeProber;
let unanswered: number;
/** Each test's own, since a process has one inquiry of a service under way at a time. */
let port = 5_432;

beforeEach(() => {
  [clock, unanswered] = [new FakeClock(), 0];
  prober = new FakeProber(++port, 'byte');
});

const never = (): Promise<never> => new Promise(() => {});

/** A connection of an adapter that nobody uses. */
class Idle {
  bytesRead = 0;
  destroyed = false;
  pings = 0;
  readonly connection: object;
  readonly [key: string]: unknown;

  constructor(ping: () => Promise<void> = never) {
    this.connection = { ping: () => (this.pings++, ping()) };
  }
}

interface Changes extends Partial<Omit<Inquiry, 'idle' | 'sockets'>> {
  readonly idle?: readonly Idle[];
  readonly facts?: FlowFacts | null;
}

function ask(
  wire: Wire | (() => Wire),
  { idle = [], facts = null, ...changes }: Changes = {},
): { found: Found | null } {
  prober.wire = typeof wire === 'function' ? wire : () => wire;
  const sockets = idle as unknown as TrackedSocket[];
  const result: { found: Found | null } = { found: null };
  void inquire({
    service: { address: ADDRESS, port },
    clock,
    present: true,
    ask: (socket) => prober.ask(socket),
    sockets,
    idle: sockets,
    pingFrom: 'second',
    kernel: { look: (flows) => Promise.resolve(flows.map(() => facts)) },
    boundMillis: 1_000,
    silenceMillis: 3_000,
    onUnanswered: () => unanswered++,
    ...changes,
  }).then((found) => (result.found = found));
  return result;
}

describe('a service', () => {
  it('lives where a byte comes, and nobody waits any longer', async () => {
    const asked = ask('byte');
    await clock.advance(0);
    expect([asked.found, clock.delays]).toEqual([{ verdict: 'alive', refused: false }, []]);
    expect(prober.sockets[0]!.destroyed).toBe(true);
  });

  it.each<Wire>([{ code: 'ECONNREFUSED' }, { code: 'ECONNRESET' }, 'closed'])(
    'lives and takes no connections where the answer is %j',
    async (wire) => {
      const asked = ask(wire);
      await clock.advance(0);
      expect(asked.found).toEqual({ verdict: 'alive', refused: true });
    },
  );

  it('that takes connections and says nothing is dead after the second question, and three times its time', async () => {
    const asked = ask('silent');
    await clock.advance(999);
    expect([prober.asked, unanswered]).toEqual([['question'], 0]);
    await clock.advance(1);
    expect([prober.asked, unanswered]).toEqual([['question', 'question'], 1]);
    await clock.advance(1_999);
    expect(asked.found).toBeNull();
    await clock.advance(1);
    expect(asked.found).toEqual({ verdict: 'dead', refused: false });
    expect(prober.sockets.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('of which nothing comes back at all is dead after the time of two questions', async () => {
    const asked = ask('lost');
    await clock.advance(1_999);
    expect(asked.found).toBeNull();
    await clock.advance(1);
    expect(asked.found).toMatchObject({ verdict: 'dead' });
  });

  it('that is slow to take a session lives: the first question stays open while the second one is', async () => {
    const asked = ask('silent');
    await clock.advance(2_400);
    prober.sockets[0]!.emit('data', Buffer.from('S'));
    await settled();
    expect([asked.found, unanswered]).toEqual([{ verdict: 'alive', refused: false }, 1]);
  });

  it('is not known of where a question fails on this side, the first one or the second', async () => {
    const first = ask({ code: 'EMFILE' });
    await clock.advance(0);
    expect([first.found, unanswered]).toEqual([{ verdict: 'unknown', refused: false }, 0]);
    let count = 0;
    const second = ask(() => (count++ === 0 ? 'silent' : 'given up'));
    await clock.advance(5_000);
    expect(second.found).toMatchObject({ verdict: 'unknown' });
  });

  it('is not known of where the question cannot even be put', async () => {
    const asked = ask('byte', {
      ask: () => {
        throw new TypeError('a driver’s option');
      },
    });
    await clock.advance(0);
    expect(asked.found).toMatchObject({ verdict: 'unknown' });
  });

  it('lives where a byte comes on any connection to it meanwhile', async () => {
    const other = new Idle();
    const asked = ask('silent', { idle: [other] });
    await clock.advance(1_500);
    other.bytesRead++;
    await clock.advance(100);
    expect(asked.found).toMatchObject({ verdict: 'alive' });
  });

  it('is asked on an idle connection too, once a fresh one is not answered', async () => {
    const idle = new Idle();
    const asked = ask('silent', { idle: [idle] });
    await clock.advance(900);
    expect(idle.pings).toBe(0);
    await clock.advance(100);
    expect(idle.pings).toBe(1);
    idle.bytesRead++;
    await clock.advance(100);
    expect(asked.found).toMatchObject({ verdict: 'alive' });
  });

  it('is judged by what an event loop that stood still could have heard', async () => {
    const asked = ask('silent');
    for (let i = 0; i < 5; i++) {
      clock.suspend(60_000);
      await clock.advance(0);
    }
    expect([asked.found, unanswered]).toEqual([null, 0]);
  });

  it('is asked once for all who want to know at the same time', async () => {
    const [first, second] = [ask('byte'), ask('byte')];
    await clock.advance(0);
    expect([first.found, second.found, prober.asked]).toEqual([first.found, first.found, ['question']]);
    ask('byte');
    await clock.advance(0);
    expect(prober.asked).toHaveLength(2);
  });

  it('is not known of any more once the name has left it, and nothing more is sent', async () => {
    const asked = ask('silent');
    await clock.advance(0);
    abandonProbes(ADDRESS);
    await clock.advance(0);
    expect([asked.found, prober.sockets[0]!.destroyed]).toEqual([{ verdict: 'unknown', refused: false }, true]);
    expect(clock.delays).toEqual([]);
  });

  it('that the name has left is asked apart, without a password, and goes on being asked', async () => {
    const here = ask('silent');
    const left = ask('silent', { present: false, boundMillis: 250, silenceMillis: 500 });
    await clock.advance(0);
    abandonProbes(ADDRESS);
    await clock.advance(500);
    expect([here.found, left.found]).toMatchObject([{ verdict: 'unknown' }, { verdict: 'dead' }]);
  });
});

describe('a service that only its idle connections can ask', () => {
  const pinging = { ask: null, pingFrom: 'first', boundMillis: 250, silenceMillis: 500 } as const;
  const acknowledged: FlowFacts = { unacknowledged: 0, unanswered: 0, unread: 0, kept: true };

  it('is dead where none of them is answered, one after the other', async () => {
    const idle = [new Idle(), new Idle()];
    const asked = ask('lost', { ...pinging, idle, facts: acknowledged });
    await clock.advance(249);
    expect(idle.map(({ pings }) => pings)).toEqual([1, 0]);
    await clock.advance(250);
    expect([asked.found, idle.map(({ pings }) => pings)]).toEqual([null, [1, 1]]);
    await clock.advance(1);
    expect(asked.found).toMatchObject({ verdict: 'dead' });
  });

  it('is not known of where the kernel says that what is sent does not arrive: the flow may be lost alone', async () => {
    const facts = { ...acknowledged, unacknowledged: 5, unanswered: 2 };
    const asked = ask('lost', { ...pinging, idle: [new Idle()], facts });
    await clock.advance(500);
    expect(asked.found).toMatchObject({ verdict: 'unknown' });
  });

  it.each([
    ['fails without a byte', (): Promise<void> => Promise.reject(new Error('not queryable'))],
    ['asks nothing', (): Promise<void> => Promise.resolve()],
  ])('is not known of where a ping %s', async (_how, ping) => {
    const asked = ask('lost', { ...pinging, idle: [new Idle(ping)] });
    await clock.advance(500);
    expect(asked.found).toMatchObject({ verdict: 'unknown' });
  });

  it('is not known of where the connection has ended', async () => {
    const idle = new Idle();
    const asked = ask('lost', { ...pinging, idle: [idle] });
    idle.destroyed = true;
    await clock.advance(500);
    expect(asked.found).toMatchObject({ verdict: 'unknown' });
  });
});

describe('a question whose driver goes on after the answer', () => {
  it('is left to it, for ten seconds, and keeps no process alive', async () => {
    const asked = ask('byte', { ask: (socket) => (prober.ask(socket), never()) });
    await clock.advance(0);
    expect([asked.found?.verdict, prober.sockets[0]!.destroyed]).toEqual(['alive', false]);
    await clock.advance(10_000);
    expect([prober.sockets[0]!.destroyed, clock.awaited]).toEqual([true, 0]);
  });

  it('is closed when it says so, also by a failure', async () => {
    for (const end of [(): Promise<void> => Promise.resolve(), (): Promise<void> => Promise.reject(new Error('no'))]) {
      ask('byte', { ask: (socket) => (prober.ask(socket), end()) });
      await clock.advance(0);
      expect([prober.sockets.at(-1)!.destroyed, clock.delays]).toEqual([true, []]);
    }
  });

  it('may not send a password once the name has left', async () => {
    ask('byte', { ask: (socket) => (prober.ask(socket), never()) });
    await clock.advance(0);
    abandonProbes(ADDRESS);
    await settled();
    expect(prober.sockets[0]!.destroyed).toBe(true);
  });
});

describe('the socket of a question', () => {
  it('dials its own address, whatever host its driver names, and fails without a listener', async () => {
    const server = net.createServer((peer) => peer.destroy());
    server.listen(0, '127.0.0.2');
    await once(server, 'listening');
    const socket = new ProbeSocket('127.0.0.2', false);
    socket.connect((server.address() as AddressInfo).port, 'db.example.com');
    await once(socket, 'connect');
    expect([socket.remoteAddress, socket.localEnd]).toEqual([
      '127.0.0.2',
      `${socket.localAddress}:${socket.localPort}`,
    ]);
    socket.destroy(new Error('nobody listens to this'));
    await new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['refuses', null, { kind: 'ended', error: { code: 'ECONNREFUSED' } }],
    ['hangs up', (peer: net.Socket): void => void peer.end(), { kind: 'ended', error: null }],
    ['speaks', (peer: net.Socket): void => void peer.write('S'), { kind: 'answered' }],
  ])('tells what really came of it where the other side %s', async (_what, serve, question) => {
    const server = net.createServer((peer) => serve?.(peer.on('error', () => {})));
    server.listen(0, '127.0.0.2');
    await once(server, 'listening');
    const { port: at } = server.address() as AddressInfo;
    if (serve === null) await new Promise((resolve) => server.close(resolve));
    const socket = new ProbeSocket('127.0.0.2', false);
    const told = new Promise<void>((resolve) => {
      socket.on('question', () => socket.question.kind !== 'reached' && resolve());
    });
    socket.connect(at);
    await told;
    expect(socket.question).toMatchObject(question);
    socket.destroy();
    if (serve !== null) await new Promise((resolve) => server.close(resolve));
  });
});
