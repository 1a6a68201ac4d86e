import { describe, expect, it } from 'vitest';
import { type CutOff, replayOf } from '../../src/outcome/replay.js';

const cut = (over: Partial<CutOff>) =>
  replayOf({
    outcome: 'unknown',
    timedOut: false,
    replay: 'reads',
    role: 'any',
    idempotent: false,
    reads: () => false,
    ...over,
  });
const none = { kind: 'none' };
const reads = () => true;

describe('a statement that was cut off', () => {
  it.each(['unsent', 'reads'] as const)('is run again if it was not sent (replay %s)', (replay) => {
    expect(cut({ outcome: 'not-sent', replay })).toEqual({ kind: 'again', why: 'not-sent' });
  });

  it('is run again if a read-only server refused it where a writable one is asked for, and only there', () => {
    expect(cut({ outcome: 'rejected', role: 'writable' })).toEqual({ kind: 'again', why: 'rejected' });
    expect(cut({ outcome: 'rejected', role: 'any' })).toEqual(none);
  });

  it('is repeated if it only reads and its server was abandoned', () => {
    expect(cut({ reads })).toEqual({ kind: 'if-abandoned', why: 'reads' });
    expect(cut({})).toEqual(none);
    expect(cut({ reads, replay: 'unsent' })).toEqual(none);
  });

  it('is repeated if its caller vouches for it, whatever the pool does by itself', () => {
    const replay = 'none';
    expect(cut({ idempotent: true, replay })).toEqual({ kind: 'if-abandoned', why: 'idempotent' });
    expect(cut({ idempotent: true, outcome: 'not-sent', replay })).toEqual({ kind: 'again', why: 'not-sent' });
  });

  it('is never run again where replay is none, after the driver’s time-out, or after an ordinary answer', () => {
    for (const outcome of ['not-sent', 'rejected', 'unknown', undefined] as const) {
      expect(cut({ outcome, replay: 'none', reads, role: 'writable' })).toEqual(none);
      expect(cut({ outcome, timedOut: true, reads, idempotent: true, role: 'writable' })).toEqual(none);
    }
    expect(cut({ outcome: undefined, reads, idempotent: true })).toEqual(none);
  });
});
