import { describe, expect, it } from 'vitest';
import { afterFacts, type FlowState, type Trail } from '../../src/sockets/flow.js';
import type { FlowFacts } from '../../src/sockets/kernel.js';

const facts = (unanswered: number, changes: Partial<FlowFacts> = {}): FlowFacts => ({
  unacknowledged: 40,
  unread: 0,
  kept: false,
  unanswered,
  ...changes,
});

/** One look after the other, 250 ms apart; what the last one comes to. */
function after(looks: readonly (FlowFacts | number)[], alive = true): FlowState {
  let trail: Trail | null = null;
  let state: FlowState = { kind: 'carries' };
  for (const [index, look] of looks.entries()) {
    const seen = typeof look === 'number' ? facts(look) : look;
    state = afterFacts(trail, seen, { now: 250 * index, boundMillis: 250, alive });
    trail = state.kind === 'doubtful' ? state.trail : null;
  }
  return state;
}

describe('a connection whose server lives', () => {
  it('carries what is sent while nothing has to be sent again', () => {
    expect(after([0, 0, 0]).kind).toBe('carries');
    expect(after([facts(0, { unacknowledged: 0 })]).kind).toBe('carries');
  });

  it('is lost when what was sent again, after the server was heard, was not answered either', () => {
    expect([[2], [2, 3], [2, 3, 3]].map((looks) => after(looks).kind)).toEqual(['doubtful', 'doubtful', 'lost']);
  });

  it('is not lost by what was sent before the server was heard: an outage of all of them may just have ended', () => {
    expect(after([5, 5, 5, 5, 5, 5]).kind).toBe('doubtful');
  });

  it('is not lost by the first two that get no answer', () => {
    expect(
      [
        [1, 2, 2, 2],
        [1, 2, 2, 3],
      ].map((looks) => after(looks).kind),
    ).toEqual(['doubtful', 'lost']);
  });

  it('begins anew with each answer', () => {
    expect(after([2, 3, 0, 1, 2]).kind).toBe('doubtful');
    expect(after([4, 5, 1, 2, 2]).kind).toBe('doubtful');
  });

  it('is this side’s to read where bytes have come', () => {
    expect(after([3, 4, facts(4, { unread: 9 })]).kind).toBe('carries');
  });
});

describe('a connection whose server has not been heard since', () => {
  it('is not judged by the trail from before', () => {
    const [silent, alive] = [false, true].map((heard) => ({ now: 0, boundMillis: 250, alive: heard }));
    const before = afterFacts(null, facts(2), silent!);
    expect(before).toEqual({ kind: 'doubtful', trail: null });
    expect(afterFacts(null, facts(3), alive!).kind).toBe('doubtful');
  });

  it('is lost when so much was not answered that no line that carries is as bad', () => {
    expect([3, 4, 5].map((unanswered) => after([unanswered], false).kind)).toEqual(['doubtful', 'doubtful', 'lost']);
  });
});
