import { beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/endpoint/adopt.js';
import type { Reply } from '../../src/sockets/connection.js';
import { Judge, type Judged } from '../../src/sockets/judge.js';
import { FakeClock } from '../fake-clock.js';
import { FakeProber, type Wire } from './fake-prober.js';

let clock: FakeClock;
let judge: Judge;
let pings: number;
/** Each test's own, since a process asks a service one thing at a time. */
let port = 5_432;

beforeEach(() => {
  [clock, pings] = [new FakeClock(), 0];
  judge = new Judge(clock, { look: (flows) => Promise.resolve(flows.map(() => null)) });
  port++;
});

const never = (): Promise<never> => new Promise(() => {});
const failing = (): Promise<never> => Promise.reject(new Error('the token service is down'));

interface Scene {
  readonly prober: FakeProber | undefined;
  readonly judged: Judged;
  readonly idle: { bytesRead: number };
}

/** What becomes of a question on the wire, and of the login; whether an idle connection is there, and answers. */
function scene(
  wire: Wire | null,
  login: () => Promise<Reply> = never,
  idle: 'none' | 'silent' | 'alive' | 'unaskable' = 'none',
): Scene {
  const prober = wire === null ? undefined : new FakeProber(port, wire, 1_000);
  if (prober !== undefined) prober.reply = login;
  const socket = { bytesRead: 0, connection: { ping: idle === 'unaskable' ? undefined : ping } };
  async function ping(): Promise<void> {
    pings++;
    if (idle === 'alive') socket.bytesRead++;
    await never();
  }
  const sockets = (idle === 'none' ? [] : [socket]) as unknown as Judged['sockets'];
  const judged = { service: { address: '10.0.0.1', port }, sockets, idle: sockets, pingBoundMillis: 250, prober };
  return { prober, judged, idle: socket };
}

async function verdict({ judged }: Scene, waitMillis = 0): Promise<Condition | null | 'pending'> {
  let said: Condition | null | 'pending' = 'pending';
  void judge.examine(judged).then((condition) => (said = condition));
  await clock.advance(waitMillis);
  return said;
}

describe('the server at a contested address', () => {
  it.each(['usable', 'starting', 'read-only', 'refusing'] as const)(
    'is %s where it says so at a login',
    async (reply) => {
      const asked = scene('byte', async () => reply, 'silent');
      expect(await verdict(asked)).toBe(reply);
      expect([asked.prober?.asked, pings]).toEqual([['login'], 0]);
    },
  );

  it.each([
    ['fails on this side', failing, 0],
    ['takes long on this side', never, 1_000],
  ])('is usable, for all that is known, where it is heard and the login %s', async (_how, login, millis) => {
    const asked = scene('byte', login);
    expect(await verdict(asked, millis)).toBe('usable');
  });

  it('refuses where it takes no connection', async () => {
    expect(await verdict(scene({ code: 'ECONNREFUSED' }))).toBe('refusing');
  });

  it('is not judged by what fails on this side before anything is heard', async () => {
    expect(await verdict(scene('given up', failing), 5_000)).toBeNull();
  });

  it.each([
    ['silent', 'silent', 1_000],
    ['lost', 'none', 1_000],
    ['silent', 'none', 3_000],
  ] as const)(
    'is dead where a login, a question (%s) and an idle connection (%s) are not answered, after %d ms',
    async (wire, idle, millis) => {
      const asked = scene(wire, never, idle);
      expect(await verdict(asked, millis - 1)).toBe('pending');
      expect(asked.prober?.asked).toEqual(['login', 'question']);
      await clock.advance(1_001);
      expect(await verdict(scene(wire, never, idle), millis)).toBe('dead');
    },
  );

  it('lives where an idle connection answers, though it takes no new one', async () => {
    expect(await verdict(scene('silent', never, 'alive'), 1_100)).toBe('usable');
    expect(pings).toBe(1);
  });

  it('is asked by pings alone where nobody can log in', async () => {
    expect(await verdict(scene(null, never, 'alive'), 25)).toBe('usable');
    await clock.advance(2_000);
    expect(await verdict(scene(null, never, 'silent'), 500)).toBe('dead');
  });

  it('is not judged where nobody can be asked', async () => {
    expect(await verdict(scene(null))).toBeNull();
    expect(await verdict(scene(null, never, 'unaskable'))).toBeNull();
    expect(clock.delays).toEqual([]);
  });

  it('is dead all the same where an idle connection cannot be asked: that it is open is no answer', async () => {
    expect(await verdict(scene('lost', never, 'unaskable'), 1_000)).toBe('dead');
  });
});

describe('the judge', () => {
  it.each(['usable', 'read-only'] as const)(
    'asks ever less often while the answer is %s, down to every 30 s',
    async (reply) => {
      const pauses: number[] = [];
      let last = clock.now();
      for (let second = 0; second < 200; second++) {
        if ((await verdict(scene('byte', async () => reply))) !== null) {
          pauses.push(clock.now() - last);
          last = clock.now();
        }
        await clock.advance(1_000);
      }
      expect(pauses).toEqual([0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
    },
  );

  it('asks again after a second where the answer is anything else', async () => {
    expect(await verdict(scene('byte', async () => 'starting'))).toBe('starting');
    await clock.advance(999);
    expect(await verdict(scene('byte', async () => 'usable'))).toBeNull();
    await clock.advance(1);
    expect(await verdict(scene('byte', async () => 'usable'))).toBe('usable');
  });

  it('asks one thing at a time', async () => {
    const asked = scene('silent');
    expect(await verdict(asked)).toBe('pending');
    expect(await verdict(asked)).toBeNull();
    expect(asked.prober?.asked).toEqual(['login']);
    await clock.advance(3_000);
  });
});
