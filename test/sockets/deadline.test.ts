import { beforeEach, describe, expect, it } from 'vitest';
import { deadline } from '../../src/sockets/deadline.js';
import { FakeClock } from '../fake-clock.js';

let clock: FakeClock;
let passed: number;
const pass = (): void => void passed++;

beforeEach(() => {
  [clock, passed] = [new FakeClock(), 0];
});

describe('a deadline', () => {
  it('passes once, when its time is over and not before', async () => {
    deadline(clock, 1_000, pass);
    await clock.advance(999);
    expect(passed).toBe(0);
    await clock.advance(1);
    expect(passed).toBe(1);
    await clock.advance(100_000);
    expect([passed, clock.delays]).toEqual([1, []]);
  });

  it('of no time at all passes at its first look', async () => {
    deadline(clock, 0, pass);
    await clock.advance(0);
    expect([passed, clock.delays]).toEqual([1, []]);
  });

  it.each([0, 300, 900])('counts a stall of the event loop after %d ms for one of its ten steps', async (after) => {
    deadline(clock, 1_000, pass);
    await clock.advance(after);
    clock.suspend(3_600_000);
    await clock.advance(0);
    await clock.advance(1_000 - after - 100 - 1);
    expect(passed).toBe(after === 900 ? 1 : 0);
    await clock.advance(1);
    expect(passed).toBe(1);
  });

  it('never passes once it is called off, not even between its last timer and the look that follows', async () => {
    let callOff: () => void = () => {};
    const set = clock.set.bind(clock);
    let timers = 0;
    clock.set = (fn, millis) =>
      set(() => {
        fn();
        if (++timers === 10) callOff();
      }, millis);
    callOff = deadline(clock, 1_000, pass);
    await clock.advance(5_000);
    expect([timers, passed, clock.delays]).toEqual([10, 0, []]);
  });

  it('leaves no timer when it is called off', async () => {
    const callOff = deadline(clock, 1_000, pass);
    await clock.advance(450);
    callOff();
    callOff();
    await clock.advance(5_000);
    expect([passed, clock.delays]).toEqual([0, []]);
  });

  it('begins anew with each step in which something was heard', async () => {
    let heard = true;
    deadline(clock, 1_000, pass, () => heard);
    await clock.advance(60_000);
    heard = false;
    await clock.advance(999);
    expect(passed).toBe(0);
    await clock.advance(1);
    expect(passed).toBe(1);
  });

  it('hears what the sockets have by its very end: they have their turn after the timers', async () => {
    let heard = false;
    const set = clock.set.bind(clock);
    let timers = 0;
    clock.set = (fn, millis) =>
      set(() => {
        fn();
        if (++timers === 10) process.nextTick(() => (heard = true));
      }, millis);
    deadline(clock, 1_000, pass, () => heard);
    await clock.advance(1_000);
    heard = false;
    expect(passed).toBe(0);
    await clock.advance(1_000);
    expect(passed).toBe(1);
  });

  it('keeps no process alive', () => {
    deadline(clock, 1_000, pass);
    expect(clock.awaited).toBe(0);
  });
});
