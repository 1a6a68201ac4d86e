import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterLook,
  afterVerdict,
  isDue,
  type Look,
  LOOK_MILLIS,
  noSilence,
  readableMillis,
  type Silence,
} from '../../src/sockets/silence.js';

const silent = (elapsedMillis: number): Look => ({ heard: false, waiting: true, elapsedMillis });
const silence = fc.record<Silence>({
  silentMillis: fc.nat(100_000),
  patienceMillis: fc.nat(30_000),
});

describe('the silence of a server', () => {
  it('grows with each look at which work waits and nothing was heard', () => {
    const looks = [250, 250, 100].map(silent);
    expect(looks.reduce(afterLook, noSilence)).toEqual({ ...noSilence, silentMillis: 600 });
  });

  it('is over with a byte, and where nothing waits; what was known of it is forgotten', () => {
    fc.assert(
      fc.property(silence, fc.nat(100_000), (before, elapsedMillis) => {
        for (const [heard, waiting] of [
          [true, true],
          [true, false],
          [false, false],
        ] as const) {
          expect(afterLook(before, { heard, waiting, elapsedMillis })).toEqual(noSilence);
        }
      }),
    );
  });

  it('grows by no more than one look, however late a look is', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (elapsedMillis) => {
        expect(readableMillis(elapsedMillis)).toBe(Math.min(elapsedMillis, LOOK_MILLIS));
      }),
    );
  });

  it('is reason to ask when it has lasted for silenceMillis, or for the patience that the server has earned', () => {
    const of = (silentMillis: number, patienceMillis = 0): boolean => isDue({ silentMillis, patienceMillis }, 2_000);
    expect([of(1_999), of(2_000), of(3_999, 4_000), of(4_000, 4_000), of(2_000, 500)]).toEqual([
      false,
      true,
      false,
      true,
      true,
    ]);
  });
});

describe('what is found of a silent server', () => {
  it('alive: patience twice as long each time, up to 30 s', () => {
    const patience: number[] = [];
    let now: Silence = { ...noSilence, silentMillis: 2_000 };
    for (let i = 0; i < 6; i++) {
      now = afterVerdict(now, 'alive', 2_000);
      expect(now.silentMillis).toBe(0);
      patience.push(now.patienceMillis);
    }
    expect(patience).toEqual([4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('nothing: it is asked again after as long as before', () => {
    const before = { silentMillis: 4_000, patienceMillis: 4_000 };
    expect(afterVerdict(before, 'unknown', 2_000)).toEqual({ silentMillis: 0, patienceMillis: 4_000 });
  });

  it('dead: everything begins anew', () => {
    expect(afterVerdict({ silentMillis: 2_000, patienceMillis: 8_000 }, 'dead', 2_000)).toEqual(noSilence);
  });
});
