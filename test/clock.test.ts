import { afterEach, describe, expect, it, vi } from 'vitest';
import { setImmediate, systemClock } from '../src/clock.js';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the system’s clock', () => {
  it('has Node’s timers where the global ones return plain numbers, as in jsdom and in a renderer', async () => {
    vi.stubGlobal('setTimeout', () => 1);
    vi.stubGlobal('clearTimeout', () => {});
    await new Promise<void>((resolve) => systemClock.setAwaited(resolve, 1));
    await new Promise<void>((resolve) => {
      systemClock.set(resolve, 1);
      // That one keeps no process alive, so something else has to.
      systemClock.setAwaited(() => {}, 50);
    });
    const cleared = vi.fn<() => void>();
    systemClock.clear(systemClock.set(cleared, 1));
    await new Promise<void>((resolve) => systemClock.setAwaited(resolve, 5));
    expect(cleared).not.toHaveBeenCalled();
  });

  it('is not moved by a test that leaps ahead', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance', 'Date'] });
    const before = [systemClock.now(), systemClock.wallNow()];
    const ran = vi.fn<() => void>();
    const timer = systemClock.set(ran, 100_000);
    vi.advanceTimersByTime(18 * 86_400_000);
    systemClock.clear(timer);
    expect(ran).not.toHaveBeenCalled();
    expect(systemClock.now() - before[0]!).toBeLessThan(60_000);
    expect(systemClock.wallNow() - before[1]!).toBeLessThan(60_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  });
});
