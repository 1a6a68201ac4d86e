import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/endpoint/adopt.js';
import type { Prober, Reply } from '../../src/sockets/connection.js';
import { abandonProbes, Judge, type Judged, probe } from '../../src/sockets/judge.js';
import { ProbeSocket } from '../../src/sockets/probe-socket.js';
import { FakeClock, settled } from '../fake-clock.js';

const [ADDRESS, OTHER] = ['10.0.0.1', '10.0.0.2'];
let clock: FakeClock;
let judge: Judge;
/** What was asked, in order. */
let asked: string[];
let sockets: Socket[];
/** Each test's own, since a process has one log-in to an address and port under way at a time. */
let port = 5_432;

beforeEach(() => {
  [clock, asked, sockets] = [new FakeClock(), [], []];
  judge = new Judge(clock);
  port++;
});

const never = (): Promise<never> => new Promise(() => {});
const gone = (): Promise<never> => Promise.reject(new Error('ECONNREFUSED'));
/** A driver's log-in to a server that says nothing ends with its socket. */
const silent = (socket: Socket): Promise<never> =>
  new Promise((_resolve, reject) => socket.once('close', () => reject(new Error('terminated'))));

function proberOf(login: (socket: Socket) => Promise<Reply>): Prober {
  return {
    port,
    timeoutMillis: 1_000,
    login: async (socket) => {
      asked.push('login');
      sockets.push(socket);
      return await login(socket);
    },
  };
}

function at(ping: (() => Promise<void>) | null, login: ((socket: Socket) => Promise<Reply>) | null): Judged {
  const connection = {
    ping: async () => {
      asked.push('ping');
      await ping?.();
    },
  };
  return {
    address: ADDRESS,
    pingBoundMillis: 250,
    idle: ping === null ? undefined : ({ connection, bytesRead: 0 } as unknown as NonNullable<Judged['idle']>),
    prober: login === null ? undefined : proberOf(login),
  };
}

/** What a question has come to; it may be read again later. */
interface Said {
  condition: Condition | null | 'pending';
}
function follow(question: Promise<Condition | null>): Said {
  const said: Said = { condition: 'pending' };
  void question.then((condition) => (said.condition = condition));
  return said;
}
async function verdict(judged: Judged, waitMillis = 0): Promise<Said['condition']> {
  const said = follow(judge.examine(judged));
  await clock.advance(waitMillis);
  return said.condition;
}

describe('the server at an address', () => {
  it.each(['usable', 'starting', 'read-only', 'refusing'] as const)(
    'is %s where it says so at a log-in; no connection is asked',
    async (reply) => {
      expect(
        await verdict(
          at(
            async () => {},
            async () => reply,
          ),
        ),
      ).toBe(reply);
      expect(asked).toEqual(['login']);
    },
  );

  it.each([
    ['fails', gone, 0],
    ['is silent', silent, 1_000],
  ])('may live where a log-in %s: an idle connection decides', async (_how, login, millis) => {
    const said = follow(judge.examine(at(async () => {}, login)));
    if (millis > 0) await clock.advance(millis - 1);
    if (millis > 0) expect([asked, said.condition]).toEqual([['login'], 'pending']);
    await clock.advance(1);
    expect([asked, said.condition]).toEqual([['login', 'ping'], 'usable']);
  });

  it('is dead where a log-in and a ping both fail', async () => {
    expect(await verdict(at(gone, gone))).toBe('dead');
    expect(asked).toEqual(['login', 'ping']);
  });

  it('is dead where neither is answered in its time', async () => {
    const said = follow(judge.examine(at(never, silent)));
    await clock.advance(1_249);
    expect(said.condition).toBe('pending');
    await clock.advance(1);
    expect(said.condition).toBe('dead');
  });

  it('is asked by a ping alone where nobody can log in', async () => {
    expect(await verdict(at(async () => {}, null))).toBe('usable');
    judge.reset();
    expect(await verdict(at(gone, null))).toBe('dead');
    expect(asked).toEqual(['ping', 'ping']);
  });

  it('is not judged where nobody can be asked', async () => {
    expect(await verdict(at(null, null))).toBeNull();
  });
});

describe('a log-in to find out', () => {
  it('is given up, and its socket destroyed, when it hears nothing for its time', async () => {
    const said = follow(probe(ADDRESS, proberOf(never), clock));
    await clock.advance(999);
    expect([said.condition, sockets[0]!.destroyed]).toEqual(['pending', false]);
    await clock.advance(1);
    expect([said.condition, sockets[0]!.destroyed, clock.delays]).toEqual(['dead', true, []]);
  });

  it('may take longer while the server is heard', async () => {
    let reply: (reply: Reply) => void = () => {};
    const said = follow(
      probe(
        ADDRESS,
        proberOf(() => new Promise((resolve) => (reply = resolve))),
        clock,
      ),
    );
    let bytes = 0;
    Object.defineProperty(sockets[0], 'bytesRead', { get: () => bytes });
    for (; bytes < 10; bytes++) await clock.advance(900);
    reply('starting');
    await clock.advance(0);
    expect(said.condition).toBe('starting');
  });

  it('is one for all who want to know at the same time', async () => {
    let reply: (reply: Reply) => void = () => {};
    const first = follow(
      probe(
        ADDRESS,
        proberOf(() => new Promise((resolve) => (reply = resolve))),
        clock,
      ),
    );
    const second = follow(probe(ADDRESS, proberOf(gone), new FakeClock()));
    await settled();
    reply('read-only');
    await settled();
    expect([first.condition, second.condition, asked]).toEqual(['read-only', 'read-only', ['login']]);
    expect(await probe(ADDRESS, proberOf(gone), clock)).toBe('dead');
    expect(asked).toHaveLength(2);
  });

  it('is another one to each address, and to each port', async () => {
    void probe(ADDRESS, proberOf(never), clock);
    expect(
      await probe(
        OTHER,
        proberOf(async () => 'usable'),
        clock,
      ),
    ).toBe('usable');
    const elsewhere = { ...proberOf(async () => 'usable' as const), port: 1 };
    expect(await probe(ADDRESS, elsewhere, clock)).toBe('usable');
    await clock.advance(1_000);
  });

  it('is abandoned when the name leaves its address, and says nothing then', async () => {
    const [left, stays] = [
      follow(probe(ADDRESS, proberOf(silent), clock)),
      follow(probe(OTHER, proberOf(silent), clock)),
    ];
    abandonProbes(ADDRESS);
    await settled();
    expect([left.condition, sockets[0]!.destroyed]).toEqual([null, true]);
    expect([stays.condition, sockets[1]!.destroyed]).toEqual(['pending', false]);
    await clock.advance(1_000);
    expect(stays.condition).toBe('dead');
  });

  it('says nothing either where its reply had come before it was abandoned', async () => {
    let reply: (reply: Reply) => void = () => {};
    const said = follow(
      probe(
        ADDRESS,
        proberOf(() => new Promise((resolve) => (reply = resolve))),
        clock,
      ),
    );
    reply('usable');
    abandonProbes(ADDRESS);
    await settled();
    expect(said.condition).toBeNull();
  });

  it('dials its own address, whatever host its driver names, and fails without a listener', async () => {
    const server = net.createServer((peer) => peer.destroy());
    server.listen(0, '127.0.0.2');
    await once(server, 'listening');
    const socket = new ProbeSocket('127.0.0.2');
    socket.connect((server.address() as AddressInfo).port, 'db.example.com');
    await once(socket, 'connect');
    expect(socket.remoteAddress).toBe('127.0.0.2');
    socket.destroy(new Error('nobody listens to this'));
    await new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the judge', () => {
  const alive = (reply: Reply = 'usable'): Judged => at(null, async () => reply);

  it.each(['usable', 'read-only'] as const)(
    'asks ever less often while the answer is %s, down to every 30 s',
    async (reply) => {
      const pauses: number[] = [];
      let last = clock.now();
      for (let second = 0; second < 200; second++) {
        if ((await verdict(alive(reply))) !== null) {
          pauses.push(clock.now() - last);
          last = clock.now();
        }
        await clock.advance(1_000);
      }
      expect(pauses).toEqual([0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
    },
  );

  it('asks again after a second where the answer is anything else', async () => {
    expect(await verdict(alive())).toBe('usable');
    await clock.advance(2_000);
    expect(await verdict(at(null, gone))).toBe('dead');
    await clock.advance(999);
    expect(await verdict(at(null, gone))).toBeNull();
    await clock.advance(1);
    expect(await verdict(at(null, gone))).toBe('dead');
  });

  it('asks one thing at a time', async () => {
    expect(await verdict(at(null, silent))).toBe('pending');
    expect(await verdict(at(null, silent))).toBeNull();
    expect(asked).toEqual(['login']);
    await clock.advance(1_000);
  });

  it('asks at once after a move', async () => {
    expect(await verdict(alive())).toBe('usable');
    expect(await verdict(alive())).toBeNull();
    judge.reset();
    expect(await verdict(alive())).toBe('usable');
  });
});
