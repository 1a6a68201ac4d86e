import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterAttempt,
  type Arrival,
  backoff,
  Gate,
  mayStartIn,
  openGate,
  type Ticket,
} from '../../src/sockets/gate.js';
import { FakeClock } from '../fake-clock.js';

/** Callers at a gate, and what has become of them. */
class Callers {
  readonly clock: FakeClock = new FakeClock();
  readonly gate: Gate;
  readonly begun: number[] = [];
  readonly tickets: Ticket[] = [];

  constructor(concurrency = 4) {
    this.gate = new Gate(this.clock, concurrency);
  }

  enter(count = 1, arrival: Arrival = {}): void {
    for (let i = 0; i < count; i++) {
      const who = this.tickets.length;
      this.tickets.push(this.gate.enter(() => this.begun.push(who), arrival));
    }
  }
}

describe('a gate', () => {
  it('lets one attempt through at first, doubles with each success, and stops at connectConcurrency', () => {
    const callers = new Callers(3);
    callers.enter(10);
    expect(callers.begun).toEqual([0]);
    callers.tickets[0]!.end('success');
    expect(callers.begun).toEqual([0, 1, 2]);
    callers.tickets[1]!.end('success');
    expect(callers.begun).toEqual([0, 1, 2, 3, 4]);
    callers.tickets[2]!.end('success');
    expect(callers.begun).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('begins again with one after a failure, and not before a pause', async () => {
    const callers = new Callers();
    callers.clock.nextRandom = 0.5;
    callers.enter(4);
    callers.tickets[0]!.end('success');
    expect(callers.begun).toEqual([0, 1, 2]);
    callers.tickets[1]!.end('failure');
    callers.tickets[2]!.end('failure');
    expect(callers.gate.failures).toBe(2);
    await callers.clock.advance(49);
    expect(callers.begun).toEqual([0, 1, 2]);
    await callers.clock.advance(1);
    expect(callers.begun).toEqual([0, 1, 2, 3]);
  });

  it('does not hold back who would rather fail, but does not let more of them through either', async () => {
    const callers = new Callers();
    callers.clock.nextRandom = 0.5;
    callers.enter();
    callers.tickets[0]!.end('failure');
    callers.enter();
    callers.enter(2, { hurried: () => true });
    expect(callers.begun).toEqual([0, 2]);
    callers.tickets[2]!.end('failure');
    expect(callers.begun).toEqual([0, 2, 3]);
    callers.tickets[3]!.end('failure');
    expect(callers.begun).toEqual([0, 2, 3]);
    await callers.clock.advance(100);
    expect(callers.begun).toEqual([0, 2, 3, 1]);
  });

  it('takes those of one party for one attempt, which ends with the last of them, and fails with one', () => {
    const callers = new Callers();
    const [party, other] = [{}, {}];
    callers.enter();
    callers.enter(2, { party });
    callers.enter(1, { party: other });
    expect(callers.begun).toEqual([0]);
    callers.tickets[0]!.end('aborted');
    expect(callers.begun).toEqual([0, 1, 2]);
    callers.enter(1, { party });
    expect(callers.begun).toEqual([0, 1, 2, 4]);
    callers.tickets[1]!.end('failure');
    callers.tickets[2]!.end('success');
    expect(callers.gate.failures).toBe(0);
    callers.tickets[4]!.end('aborted');
    expect(callers.gate.failures).toBe(1);
    callers.enter(1, { party });
    expect(callers.begun).toEqual([0, 1, 2, 4]);
  });

  it('forgets a party that gave up before it began', () => {
    const callers = new Callers();
    const party = {};
    callers.enter();
    callers.enter(2, { party });
    callers.tickets[1]!.end('aborted');
    callers.tickets[2]!.end('aborted');
    callers.enter(1, { party });
    callers.tickets[0]!.end('success');
    expect(callers.begun).toEqual([0, 3]);
  });

  it('keeps the process alive while somebody waits for the pause to end, and no longer', async () => {
    const callers = new Callers();
    callers.enter(2);
    callers.tickets[0]!.end('failure');
    expect(callers.clock.awaited).toBe(1);
    callers.tickets[1]!.end('aborted');
    expect(callers.clock.delays).toEqual([]);
  });

  it('forgets its failures with the first success', () => {
    const callers = new Callers();
    callers.clock.nextRandom = 0;
    callers.enter(3);
    callers.tickets[0]!.end('failure');
    callers.tickets[1]!.end('success');
    expect(callers.gate.failures).toBe(0);
  });

  it('never begins an attempt whose ticket has been ended', () => {
    const callers = new Callers();
    callers.enter(3);
    callers.tickets[1]!.end('aborted');
    callers.tickets[0]!.end('success');
    expect(callers.begun).toEqual([0, 2]);
  });

  it('counts the end of a ticket once', () => {
    const callers = new Callers();
    callers.enter(5);
    callers.tickets[0]!.end('aborted');
    for (let i = 0; i < 3; i++) callers.tickets[0]!.end('success');
    expect(callers.begun).toEqual([0, 1]);
  });

  it('learns nothing from an attempt that was given up', () => {
    const callers = new Callers();
    callers.enter(2);
    callers.tickets[0]!.end('aborted');
    expect([callers.gate.failures, callers.begun]).toEqual([0, [0, 1]]);
  });

  it('lets an attempt end while it begins', () => {
    const callers = new Callers();
    const begun: string[] = [];
    for (const who of ['a', 'b', 'c']) {
      callers.gate.enter((ticket) => {
        begun.push(who);
        ticket.end('success');
      });
    }
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('never lets more through than it may, serves in turn, and loses nobody', async () => {
    const actions = fc.array(
      fc.record({
        enters: fc.integer({ min: 0, max: 3 }),
        which: fc.nat(),
        result: fc.constantFrom('success' as const, 'failure' as const, 'aborted' as const),
        random: fc.double({ min: 0, max: 0.999, noNaN: true }),
        wait: fc.integer({ min: 0, max: 300 }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(actions, fc.integer({ min: 1, max: 5 }), async (steps, concurrency) => {
        const callers = new Callers(concurrency);
        const ended = new Set<number>();
        const underWay = (): number[] => callers.begun.filter((who) => !ended.has(who));
        for (const { enters, which, result, random, wait } of steps) {
          callers.clock.nextRandom = random;
          callers.enter(enters);
          const open = callers.tickets.flatMap((_, who) => (ended.has(who) ? [] : [who]));
          const who = open[which % Math.max(1, open.length)];
          if (who !== undefined) {
            ended.add(who);
            callers.tickets[who]!.end(result);
          }
          expect(underWay().length).toBeLessThanOrEqual(concurrency);
          if (wait > 250) await callers.clock.advance(wait);
        }
        // Whoever is left gets his turn once the others have had theirs.
        for (let turn = 0; turn < callers.tickets.length; turn++) {
          await callers.clock.advance(1_000);
          for (const who of underWay()) {
            ended.add(who);
            callers.tickets[who]!.end('success');
          }
          expect(underWay().length).toBeLessThanOrEqual(concurrency);
        }
        for (const who of callers.tickets.keys()) expect(ended.has(who)).toBe(true);
        expect(callers.begun).toEqual(callers.begun.toSorted((a, b) => a - b));
        expect(new Set(callers.begun).size).toBe(callers.begun.length);
        expect(callers.clock.delays).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the pause after a failure', () => {
  it('is anything between nothing and a bound that doubles up to a second', () => {
    const bounds = [0, 1, 2, 3, 4, 5, 6, 50].map((failures) => backoff(failures, 1));
    expect(bounds).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    expect([backoff(3, 0), backoff(3, 0.5)]).toEqual([0, 200]);
  });

  it('holds for everybody who comes, from the last failure', () => {
    const gate = afterAttempt({ ...openGate, active: 1, limit: 4, failures: 1 }, 'failure', 10_000, 4, 1);
    expect(gate).toEqual({ limit: 1, active: 0, failures: 2, notBefore: 10_100 });
    expect([mayStartIn(gate, 10_000), mayStartIn(gate, 10_099), mayStartIn(gate, 10_100)]).toEqual([100, 1, 0]);
    expect(mayStartIn({ ...gate, active: 1 }, 20_000)).toBeNull();
  });
});
