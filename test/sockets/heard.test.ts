import type { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { ByteMarks, whileHeard } from '../../src/sockets/heard.js';
import { failureOf } from '../endpoint/scripted-resolver.js';
import { FakeClock } from '../fake-clock.js';

let clock: FakeClock;
let peer: { bytesRead: number };
const wait = (work: Promise<unknown>) => failureOf(whileHeard(work, peer as Socket, 250, clock));
const never = new Promise<never>(() => {});

beforeEach(() => {
  [clock, peer] = [new FakeClock(), { bytesRead: 700 }];
});

describe('the mark on a socket', () => {
  it('shows what was read since the last look, and at the first look nothing', () => {
    const marks = new ByteMarks();
    const [one, other] = [{ bytesRead: 5 }, { bytesRead: 0 }] as Socket[];
    expect([marks.grew(one!), marks.grew(other!), marks.grew(one!)]).toEqual([false, false, false]);
    Object.assign(one!, { bytesRead: 6 });
    expect([marks.grew(other!), marks.grew(one!), marks.grew(one!)]).toEqual([false, true, false]);
  });
});

describe('work that a server is asked for', () => {
  it('fails when nothing was heard for its time', async () => {
    const waiting = wait(never);
    await clock.advance(249);
    expect(waiting.done).toBe(false);
    await clock.advance(1);
    expect(waiting.error).toEqual(new Error('no reply within 250 ms'));
  });

  it('may take as long as it likes while each byte comes in time', async () => {
    const waiting = wait(never);
    for (let i = 0; i < 20; i++) {
      await clock.advance(200);
      peer.bytesRead++;
    }
    // The byte is heard at the next of ten steps.
    await clock.advance(274);
    expect(waiting.done).toBe(false);
    await clock.advance(1);
    expect(waiting.done).toBe(true);
  });

  it('is heard from its very first moment', async () => {
    const waiting = wait(never);
    await clock.advance(10);
    peer.bytesRead++;
    await clock.advance(264);
    expect(waiting.done).toBe(false);
    await clock.advance(1);
    expect(waiting.done).toBe(true);
  });

  it('is not kept alive by what was read before', async () => {
    const waiting = wait(never);
    peer.bytesRead = 0;
    await clock.advance(250);
    expect(waiting.done).toBe(true);
  });

  it('has no less time where the event loop stands still', async () => {
    const waiting = wait(never);
    clock.suspend(60_000);
    await clock.advance(224);
    expect(waiting.done).toBe(false);
    await clock.advance(1);
    expect(waiting.done).toBe(true);
  });

  it('succeeds though the reply comes in the very turn in which its time is over', async () => {
    let reply: () => void = () => {};
    // The sockets have their turn right after the timers.
    const set = clock.set.bind(clock);
    clock.set = (late, millis) =>
      set(() => {
        late();
        if (clock.now() === 1_250) process.nextTick(reply);
      }, millis);
    const waiting = wait(new Promise<void>((resolve) => (reply = resolve)));
    await clock.advance(250);
    expect(waiting).toEqual({ done: true, error: undefined });
  });

  it('comes to what it comes to, and leaves no timer, however it ends', async () => {
    expect(await whileHeard(Promise.resolve('usable'), peer as Socket, 250, clock)).toBe('usable');
    await expect(whileHeard(Promise.reject(new Error('reset')), peer as Socket, 250, clock)).rejects.toThrow('reset');
    expect(clock.delays).toEqual([]);
    wait(never);
    await clock.advance(250);
    expect(clock.delays).toEqual([]);
  });
});
