import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PacketBudget, type PacketQuestion, type Urgency } from '../../src/endpoint/packet-budget.js';
import { FakeClock } from '../fake-clock.js';

let clock: FakeClock;
let budget: PacketBudget;
let sent: { readonly who: string; readonly at: number }[];
const nobody = new AbortController().signal;
setMaxListeners(0, nobody);

beforeEach(() => {
  [clock, sent] = [new FakeClock(), []];
  budget = new PacketBudget(clock);
});

/** A question whose answer comes at once. */
function ask(urgency: Urgency, who: string = urgency, signal: AbortSignal = nobody, count = 1): PacketQuestion<string> {
  const question = budget.ask({ to: '10.0.0.2', count }, async () => {
    sent.push({ who, at: clock.now() - 1_000 });
    return who;
  });
  question.wait(urgency, signal).catch(() => {});
  return question;
}

/** One that is never answered; tells how it can be. */
function askInVain(urgency: Urgency, to: string): () => void {
  let end = (): void => {};
  const question = budget.ask({ to }, async () => {
    sent.push({ who: to, at: clock.now() - 1_000 });
    await new Promise<void>((resolve) => (end = resolve));
  });
  void question.wait(urgency, nobody);
  return () => end();
}

const times = (who: string): readonly number[] => sent.filter((each) => each.who === who).map(({ at }) => at);

describe('the packet budget', () => {
  it('lets ten packets go at once that callers wait for, and the eleventh when a second has passed, wherever it is counted', async () => {
    for (let i = 0; i < 25; i++) ask('awaited');
    await clock.advance(3_000);
    expect(times('awaited')).toEqual([...Array(10).fill(0), ...Array(10).fill(1_100), ...Array(5).fill(2_200)]);
  });

  it('never lets more than ten go in any second, serves each kind in turn, and forgets nobody', async () => {
    const urgency = fc.constantFrom<Urgency>('awaited', 'pressing', 'suspect', 'periodic');
    const question = fc.tuple(fc.integer({ min: 0, max: 400 }), urgency, fc.integer({ min: 1, max: 2 }));
    await fc.assert(
      fc.asyncProperty(fc.array(question, { maxLength: 60 }), async (questions) => {
        [clock, sent] = [new FakeClock(), []];
        budget = new PacketBudget(clock);
        for (const [i, [gap, urgent, count]] of questions.entries()) {
          await clock.advance(gap);
          ask(urgent, `${urgent} ${i} ${count}`, nobody, count);
        }
        await clock.advance(20_000);
        const packets = sent.flatMap(({ who, at }) => Array.from({ length: Number(who.split(' ')[2]) }, () => at));
        for (const [i, at] of packets.slice(10).entries()) expect(at - packets[i]!).toBeGreaterThanOrEqual(1_100);
        for (const kind of ['awaited', 'pressing', 'suspect', 'periodic']) {
          const order = questions.flatMap(([, urgent, count], i) =>
            urgent === kind ? [`${urgent} ${i} ${count}`] : [],
          );
          expect(sent.map(({ who }) => who).filter((who) => who.startsWith(kind))).toEqual(order);
        }
        expect(clock.delays).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('has packets left for a caller, whatever the schedule asks', async () => {
    for (let i = 0; i < 200; i++) ask('periodic');
    for (let i = 0; i < 200; i++) ask('suspect');
    await clock.advance(10_370);
    for (const who of ['A', 'AAAA']) ask('awaited', who);
    expect([times('A'), times('AAAA')]).toEqual([[10_370], [10_370]]);
  });

  it('soon has packets left for a name that has just failed, whatever the schedule asks of others', async () => {
    for (let i = 0; i < 200; i++) ask('periodic');
    await clock.advance(10_370);
    for (let i = 0; i < 2; i++) ask('suspect');
    await clock.advance(250);
    expect(times('suspect')).toHaveLength(2);
  });

  it('spreads what the schedule asks: one name may be asked seven times a second', async () => {
    for (let i = 0; i < 60; i++) {
      ask('periodic');
      await clock.advance(100);
    }
    const late = times('periodic').filter((at) => at >= 1_000);
    const gaps = late.slice(1).map((at, i) => at - late[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(250);
    expect(late.length).toBeGreaterThanOrEqual(35);
  });

  it('leaves packets to the schedule, however often failing names are asked for', async () => {
    for (let i = 0; i < 200; i++) ask('periodic');
    for (let i = 0; i < 200; i++) ask('suspect');
    await clock.advance(10_000);
    expect(times('periodic').length).toBeGreaterThanOrEqual(18);
    expect(times('suspect').length).toBeGreaterThanOrEqual(50);
  });

  it('lets those go first who are more urgent, also of those that wait already', async () => {
    for (let i = 0; i < 10; i++) ask('awaited', 'before');
    for (const urgency of ['periodic', 'suspect', 'pressing', 'awaited'] as const) ask(urgency);
    const hurried = ask('suspect', 'hurried');
    const answers = [hurried.wait('awaited', nobody), hurried.wait('periodic', nobody)];
    expect(hurried.wasSent).toBe(false);
    await clock.advance(3_000);
    expect(sent.slice(10).map(({ who }) => who)).toEqual(['awaited', 'hurried', 'periodic', 'pressing', 'suspect']);
    expect([hurried.wasSent, await Promise.all(answers)]).toEqual([true, ['hurried', 'hurried']]);
  });

  it('sends nothing that nobody waits for any more, and leaves no timer', async () => {
    for (let i = 0; i < 10; i++) ask('awaited', 'before');
    const [one, other] = [new AbortController(), new AbortController()];
    const gone = ask('awaited', 'gone', one.signal);
    const wanted = ask('awaited', 'wanted', one.signal);
    const answer = wanted.wait('periodic', other.signal);
    one.abort(new Error('closed'));
    await expect(gone.wait('awaited', one.signal)).rejects.toThrow('closed');
    await clock.advance(5_000);
    expect([await answer, gone.isOver, times('gone'), clock.delays]).toEqual(['wanted', true, [], []]);
  });

  it('tells the one that sends when nobody waits for the answer any more', async () => {
    const leaving = new AbortController();
    let told: AbortSignal | undefined;
    const question = budget.ask({ to: '10.0.0.2' }, (signal) => {
      told = signal;
      return new Promise(() => {});
    });
    const waiting = question.wait('awaited', leaving.signal);
    expect(told?.aborted).toBe(false);
    leaving.abort(new Error('closed'));
    await expect(waiting).rejects.toThrow('closed');
    expect(told?.aborted).toBe(true);
  });

  it('lets go what takes no packets, whoever waits', () => {
    for (let i = 0; i < 12; i++) ask('awaited');
    ask('periodic', 'free', nobody, 0);
    expect(times('free')).toEqual([0]);
  });

  it('keeps the process alive only for what somebody waits for', async () => {
    for (let i = 0; i < 10; i++) ask('awaited', 'before');
    for (let i = 0; i < 3; i++) ask('periodic');
    expect([clock.delays.length, clock.awaited]).toEqual([1, 0]);
    ask('pressing');
    expect([clock.delays.length, clock.awaited]).toEqual([1, 1]);
  });

  it('hands on what the question came to', async () => {
    const send = (): Promise<never> => Promise.reject(new Error('SERVFAIL'));
    await expect(budget.ask({ to: '10.0.0.2' }, send).wait('awaited', nobody)).rejects.toThrow('SERVFAIL');
  });
});

describe('a server that does not answer', () => {
  it('is asked one thing at a time while nobody waits, so that an idle process can end', async () => {
    const end = askInVain('suspect', 'silent');
    await clock.advance(100);
    askInVain('suspect', 'silent');
    askInVain('periodic', 'silent');
    askInVain('periodic', 'other');
    await clock.advance(60_000);
    expect([times('silent'), times('other')]).toEqual([[0], [100]]);
    expect(clock.delays).toEqual([]);
    end();
    await clock.advance(0);
    expect(times('silent')).toHaveLength(3);
    expect(clock.awaited).toBe(0);
  });

  it('is asked all the same for whoever waits', async () => {
    askInVain('periodic', 'silent');
    await clock.advance(500);
    askInVain('awaited', 'silent');
    askInVain('pressing', 'silent');
    expect(times('silent')).toEqual([0, 500, 500]);
  });

  it('holds up nothing that is more urgent than what it was asked', async () => {
    askInVain('periodic', 'silent');
    await clock.advance(500);
    askInVain('suspect', 'silent');
    askInVain('periodic', 'silent');
    expect(times('silent')).toEqual([0, 500]);
  });

  it('holds up nobody before it has had a moment to answer', async () => {
    askInVain('periodic', 'slow');
    await clock.advance(99);
    askInVain('periodic', 'slow');
    expect(times('slow')).toEqual([0, 99]);
  });
});
