import { describe, expect, it } from 'vitest';
import { admit, Admission } from '../../src/failover/admission.js';
import { readFailoverOptions } from '../../src/failover/options.js';
import { Pause } from '../../src/failover/pause.js';
import { VirtualClock } from '../virtual-clock.js';

const OFF = { maxWaiting: Infinity, failFastAfterMillis: Infinity };

describe('a caller', () => {
  it('may always wait by default', () => {
    expect(admit({ place: 1_000_000, downMillis: 1e12 }, OFF)).toBe('admitted');
  });

  it('may not wait behind as many as may', () => {
    expect(admit({ place: 2, downMillis: null }, { ...OFF, maxWaiting: 2 })).toBe('admitted');
    expect(admit({ place: 3, downMillis: null }, { ...OFF, maxWaiting: 2 })).toBe('too-many');
    expect(admit({ place: 0, downMillis: null }, { ...OFF, maxWaiting: 0 })).toBe('admitted');
  });

  it('may not wait once there was no server for so long', () => {
    const limits = { ...OFF, failFastAfterMillis: 500 };
    expect(admit({ place: 0, downMillis: 499 }, limits)).toBe('admitted');
    expect(admit({ place: 0, downMillis: 500 }, limits)).toBe('failing-fast');
    expect(admit({ place: 0, downMillis: null }, limits)).toBe('admitted');
  });

  it('is told why, with the last cause, and no more once a connection was made', async () => {
    const clock = new VirtualClock();
    const limits = readFailoverOptions({ failFastAfterMillis: 100, maxWaiting: 1 });
    const admission = new Admission(clock, 'db.test', limits, () => {});
    const cause = new Error('refused');
    admission.down(cause);
    await clock.advance(99);
    expect(admission.refusal(0)).toBeNull();
    expect(admission.refusal(2)).toMatchObject({ code: 'TOO_MANY_WAITING' });
    admission.down(undefined);
    await clock.advance(1);
    expect(admission.refusal(0)).toMatchObject({ code: 'FAILING_FAST', cause });
    expect(admission.refusal(0)?.message).toContain('refused');
    admission.up();
    expect(admission.refusal(0)).toBeNull();
  });
});

describe('a pool that is down', () => {
  it('looks for a server by itself until there is one, if it fails fast: nobody else would', async () => {
    const looks = async (failFastAfterMillis?: number): Promise<number[]> => {
      const [clock, seen]: [VirtualClock, number[]] = [new VirtualClock(), []];
      const limits = readFailoverOptions({ failFastAfterMillis });
      const admission = new Admission(clock, 'db.test', limits, () => seen.push(clock.now()));
      admission.down(new Error('refused'));
      admission.down(new Error('refused again'));
      await clock.advance(2_500);
      admission.up();
      await clock.advance(5_000);
      return seen.map((at) => at - seen[0]!);
    };
    expect(await looks(100)).toEqual([0, 1_000]);
    expect(await looks()).toEqual([]);
  });
});

describe('a pause', () => {
  it('begins at once, and is complete when no lease is out', async () => {
    let leases = 1;
    const pause = new Pause(() => leases);
    let complete = false;
    const begun = pause.begin().then(() => (complete = true));
    expect(pause.on).toBe(true);
    pause.released();
    await new Promise(setImmediate);
    expect(complete).toBe(false);
    leases = 0;
    pause.released();
    await begun;
    pause.end();
    expect(pause.on).toBe(false);
  });

  it('that ends while a lease is out was none, which hurts nobody who does not look', async () => {
    const pause = new Pause(() => 1);
    void pause.begin();
    const begun = pause.begin();
    pause.end();
    await expect(begun).rejects.toMatchObject({ code: 'PAUSE_ENDED' });
  });
});
