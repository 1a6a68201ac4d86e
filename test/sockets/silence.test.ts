import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterLook,
  afterQuestion,
  isDue,
  type Look,
  LOOK_MILLIS,
  noSilence,
  type Silence,
} from '../../src/sockets/silence.js';

const silent = (elapsedMillis: number): Look => ({ heard: false, waiting: true, elapsedMillis });
const silence = fc.record<Silence>({
  silentMillis: fc.nat(100_000),
  patienceMillis: fc.nat(30_000),
  unanswered: fc.nat(1),
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
      fc.property(silence, fc.nat(10_000_000), (before, elapsedMillis) => {
        const grown = afterLook(before, silent(elapsedMillis)).silentMillis - before.silentMillis;
        expect(grown).toBe(Math.min(elapsedMillis, LOOK_MILLIS));
      }),
    );
  });

  it('is reason to ask when it has lasted for silenceMillis, or for the patience that the server has earned', () => {
    const of = (silentMillis: number, patienceMillis = 0): boolean =>
      isDue({ silentMillis, patienceMillis, unanswered: 0 }, 2_000);
    expect([of(1_999), of(2_000), of(3_999, 4_000), of(4_000, 4_000), of(2_000, 500)]).toEqual([
      false,
      true,
      false,
      true,
      true,
    ]);
  });

  it('is reason to ask again at once where a question was not answered', () => {
    expect(isDue({ silentMillis: 0, patienceMillis: 30_000, unanswered: 1 }, 2_000)).toBe(true);
  });
});

describe('a question to a silent server', () => {
  it('that is answered makes patient: twice as long each time, up to 30 s', () => {
    const patience: number[] = [];
    let now: Silence = { ...noSilence, silentMillis: 2_000 };
    for (let i = 0; i < 6; i++) {
      const [after, finding] = afterQuestion(now, true, 2_000);
      expect([finding, after.silentMillis, after.unanswered]).toEqual(['alive', 0, 0]);
      patience.push(after.patienceMillis);
      now = after;
    }
    expect(patience).toEqual([4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('that is not answered makes suspect, and the second one in a row dead', () => {
    const before = { silentMillis: 2_000, patienceMillis: 0, unanswered: 0 };
    const [suspected, first] = afterQuestion(before, false, 2_000);
    expect([first, suspected]).toEqual(['suspect', { ...before, unanswered: 1 }]);
    expect(afterQuestion(suspected, false, 2_000)).toEqual([noSilence, 'dead']);
  });

  it('that is answered after one that was not makes alive', () => {
    const [after, finding] = afterQuestion({ ...noSilence, unanswered: 1 }, true, 2_000);
    expect([finding, after.unanswered]).toEqual(['alive', 0]);
  });

  it('is never the reason for death by itself', () => {
    fc.assert(
      fc.property(silence, fc.boolean(), fc.nat(10_000), (before, answered, millis) => {
        const [, finding] = afterQuestion(before, answered, millis);
        if (finding === 'dead') expect([before.unanswered, answered]).toEqual([1, false]);
      }),
    );
  });
});
