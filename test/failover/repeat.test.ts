import { expect, it } from 'vitest';
import { repeatIfAbandoned } from '../../src/failover/repeat.js';
import type { Endpoint } from '../../src/sockets/endpoint.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';
import { FakeClock } from '../fake-clock.js';

const service = { address: '10.0.0.1', port: 3_306 };
const lostWith = new Error('the connection was lost');

/** A server that tells whole seconds of its uptime, and was started at this moment; a session of time 1,000 was lost at 1,100. */
async function outcomeOf(startedAt: number): Promise<{ answer: unknown; tookMillis: number }> {
  const clock = new FakeClock();
  await clock.advance(1_400);
  const endpoint = {
    clock,
    has: () => true,
    isAbandoned: () => false,
    on: () => {},
    off: () => {},
  } as unknown as Endpoint;
  const repeated = repeatIfAbandoned(
    endpoint,
    { error: lostWith, outcome: 'unknown', session: { service, sessionId: null, knownAt: 1_000, lostAt: 1_100 } },
    {
      lease: () => Promise.resolve('a connection'),
      socketOf: () => ({ service, openedAt: 1_400 }) as unknown as TrackedSocket,
      uptime: () =>
        Promise.resolve({ millis: 1_000 * Math.floor((clock.now() - startedAt) / 1_000), resolutionMillis: 1_000 }),
      run: () => Promise.resolve('run again'),
      giveBack: () => {},
    },
  );
  let answer: unknown;
  void repeated.then(
    (result) => (answer = result),
    (error) => (answer = error),
  );
  const began = clock.now();
  while (answer === undefined) await clock.advance(50);
  return { answer, tookMillis: clock.now() - began };
}

it('is repeated on a server that was started a moment after the session, though it tells whole seconds', async () => {
  for (let startedAt = 1_300; startedAt <= 1_400; startedAt += 20) {
    expect((await outcomeOf(startedAt)).answer, `started at ${startedAt}`).toBe('run again');
  }
});

it('is not repeated on one that may be the same, and is told so soon where that is certain', async () => {
  const { answer } = await outcomeOf(600);
  expect(answer).toBe(lostWith);
  const long = await outcomeOf(-100_000);
  expect(long.answer).toBe(lostWith);
  expect(long.tookMillis).toBeLessThan(500);
});
