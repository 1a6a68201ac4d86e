import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noTurn, onAnswer, onCalm, onFailure, onTrouble, type Turn } from '../../src/endpoint/turn.js';

const NOW = 50_000;
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true });
/** The pauses after so many steps in a row, the chance being in the middle. */
function pauses(step: typeof onAnswer, count: number): number[] {
  let turn = onTrouble(noTurn, NOW, 0);
  return Array.from({ length: count }, () => {
    turn = step(turn, NOW, 0.5);
    return turn.notBefore - NOW;
  });
}

describe('the turn of a source with a quota', () => {
  it('comes within 2 s of the trouble, spread by chance, and stays what it is while the trouble lasts', () => {
    expect([0, 0.5, 0.75].map((chance) => onTrouble(noTurn, NOW, chance).at)).toEqual([NOW, NOW + 1_000, NOW + 1_500]);
    const turn = onTrouble(noTurn, NOW, 0.5);
    expect(onTrouble(turn, NOW + 10, 0)).toBe(turn);
  });

  it('comes ever less often while it answers, down to every 30 s', () => {
    expect(pauses(onAnswer, 5)).toEqual([10_000, 20_000, 30_000, 30_000, 30_000]);
    const turn = onTrouble(noTurn, NOW, 0);
    expect([0, 1].map((chance) => onAnswer(turn, NOW, chance).at)).toEqual([NOW + 7_500, NOW + 12_500]);
  });

  it('comes back soon after a failure, at a time of chance, and ever later while it fails', () => {
    const turn = onTrouble(noTurn, NOW, 0);
    expect([0, 1].map((chance) => onFailure(turn, NOW, chance).at)).toEqual([NOW + 2_000, NOW + 7_500]);
    expect(pauses(onFailure, 5)).toEqual([4_750, 9_500, 19_000, 30_000, 30_000]);
  });

  it('begins its failures anew with an answer, and keeps count of its answers through a failure', () => {
    const failed = onFailure(onAnswer(onTrouble(noTurn, NOW, 0), NOW, 0.5), NOW, 0.5);
    expect([failed.answers, failed.failures]).toEqual([1, 1]);
    const answered = onAnswer(failed, NOW, 0.5);
    expect([answered.answers, answered.failures, answered.notBefore]).toEqual([2, 0, NOW + 20_000]);
  });

  it('is none while all is well', () => {
    expect(onCalm(noTurn)).toBe(noTurn);
    expect(onCalm(onTrouble(noTurn, NOW, 0.5)).at).toBeNull();
    expect(onAnswer(noTurn, NOW, 0.5).at).toBeNull();
  });

  it('keeps its pause through a calm moment: trouble that comes back before is still the same', () => {
    const paused = onCalm(onAnswer(onTrouble(noTurn, NOW, 0), NOW, 0.5));
    const again = onTrouble(paused, NOW + 9_999, 0.5);
    expect(again).toEqual({ at: NOW + 11_000, notBefore: NOW + 10_000, answers: 1, failures: 0 });
    expect(onTrouble(paused, NOW + 10_000, 0.5)).toEqual({ ...noTurn, at: NOW + 11_000 });
  });

  it('never comes before its pause is over, whatever happens', () => {
    const events = fc.array(
      fc.record({
        what: fc.constantFrom('trouble', 'calm', 'asked, and answers', 'asked, and fails'),
        after: fc.integer({ min: 0, max: 40_000 }),
        chance: random,
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(events, (steps) => {
        let [turn, now]: [Turn, number] = [noTurn, NOW];
        for (const { what, after, chance } of steps) {
          now += after;
          if (what === 'trouble') turn = onTrouble(turn, now, chance);
          else if (what === 'calm') turn = onCalm(turn);
          else turn = what === 'asked, and answers' ? onAnswer(turn, now, chance) : onFailure(turn, now, chance);
          if (turn.at !== null) expect(turn.at).toBeGreaterThanOrEqual(turn.notBefore);
          expect(turn.notBefore - now).toBeLessThanOrEqual(37_500);
          if (what.startsWith('asked')) expect(turn.notBefore - now).toBeGreaterThanOrEqual(2_000);
        }
      }),
    );
  });
});
