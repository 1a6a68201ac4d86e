import { beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/endpoint/adopt.js';
import type { Reply } from '../../src/sockets/connection.js';
import { Judge, type Judged } from '../../src/sockets/judge.js';
import { FakeClock } from '../fake-clock.js';

const ADDRESS = '10.0.0.1';
let clock: FakeClock;
let judge: Judge;
/** What was asked, in order. */
let asked: string[];
let signals: AbortSignal[];

beforeEach(() => {
  [clock, asked, signals] = [new FakeClock(), [], []];
  judge = new Judge(clock);
});

const never = (): Promise<never> => new Promise(() => {});
const gone = (): Promise<never> => Promise.reject(new Error('ECONNREFUSED'));

function at(ping: (() => Promise<void>) | null, login: (() => Promise<Reply>) | null): Judged {
  const connection = {
    ping: async () => {
      asked.push('ping');
      await ping?.();
    },
  };
  const prober = {
    login: async (_address: string, signal: AbortSignal) => {
      asked.push('login');
      signals.push(signal);
      return await login!();
    },
  };
  return {
    address: ADDRESS,
    pingBoundMillis: 250,
    idle: ping === null ? undefined : ({ connection } as unknown as NonNullable<Judged['idle']>),
    prober: login === null ? undefined : prober,
  };
}

async function verdict(judged: Judged, waitMillis = 0): Promise<Condition | null | 'pending'> {
  let said: Condition | null | 'pending' = 'pending';
  void judge.examine(judged).then((condition) => (said = condition));
  await clock.advance(waitMillis);
  return said;
}

describe('the server at an address', () => {
  it('lives where an idle connection answers a ping; nobody logs in', async () => {
    expect(
      await verdict(
        at(
          async () => {},
          async () => 'usable',
        ),
      ),
    ).toBe('usable');
    expect(asked).toEqual(['ping']);
  });

  it('may live where an idle connection is silent: a fresh log-in decides', async () => {
    const silent = at(never, async () => 'read-only');
    expect(await verdict(silent, 249)).toBe('pending');
    await clock.advance(1);
    expect(asked).toEqual(['ping', 'login']);
  });

  it.each(['usable', 'starting', 'read-only', 'refusing'] as const)(
    'is %s where it says so at a log-in',
    async (reply) => {
      expect(await verdict(at(null, async () => reply))).toBe(reply);
    },
  );

  it('is dead where a ping and a log-in both fail', async () => {
    expect(await verdict(at(gone, gone))).toBe('dead');
    expect(asked).toEqual(['ping', 'login']);
  });

  it('is dead where nothing answers a log-in for a second, which is then given up', async () => {
    const silent = at(null, never);
    expect(await verdict(silent, 999)).toBe('pending');
    expect(signals[0]!.aborted).toBe(false);
    await clock.advance(1);
    expect(signals[0]!.aborted).toBe(true);
  });

  it('is not judged where nobody can be asked', async () => {
    expect(await verdict(at(null, null))).toBeNull();
    expect(await verdict(at(gone, null), 1_000)).toBeNull();
  });
});

describe('the judge', () => {
  const alive = (): Judged => at(null, async () => 'usable');

  it('asks ever less often while the answer is that all is well, down to every 30 s', async () => {
    const pauses: number[] = [];
    let last = clock.now();
    for (let second = 0; second < 200; second++) {
      if ((await verdict(alive())) !== null) {
        pauses.push(clock.now() - last);
        last = clock.now();
      }
      await clock.advance(1_000);
    }
    expect(pauses).toEqual([0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

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
    expect(await verdict(at(null, never))).toBe('pending');
    expect(await verdict(at(null, never))).toBeNull();
    expect(asked).toEqual(['login']);
  });

  it('asks at once after a move', async () => {
    expect(await verdict(alive())).toBe('usable');
    expect(await verdict(alive())).toBeNull();
    judge.reset();
    expect(await verdict(alive())).toBe('usable');
  });
});
