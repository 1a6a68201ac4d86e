import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketBudget } from '../../src/endpoint/packet-budget.js';
import { FakeClock } from '../fake-clock.js';

describe('the packet budget', () => {
  it('lets ten packets go at once, and the eleventh a second after the first', async () => {
    const clock = new FakeClock();
    const budget = new PacketBudget(clock);
    const sent: number[] = [];
    for (let i = 0; i < 25; i++) void budget.take().then(() => sent.push(clock.now() - 1_000));
    await clock.advance(3_000);
    expect(sent).toEqual([...Array(10).fill(0), ...Array(10).fill(1_000), ...Array(5).fill(2_000)]);
  });

  it('never lets more than ten go in any second, serves in turn, and forgets nobody', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), async (gaps) => {
        const clock = new FakeClock();
        const budget = new PacketBudget(clock);
        const sent: { readonly who: number; readonly at: number }[] = [];
        for (const [who, gap] of gaps.entries()) {
          await clock.advance(gap);
          void budget.take().then(() => sent.push({ who, at: clock.now() }));
        }
        await clock.advance(10_000);
        expect(sent.map(({ who }) => who)).toEqual([...gaps.keys()]);
        for (const [i, { at }] of sent.slice(10).entries()) expect(at - sent[i]!.at).toBeGreaterThanOrEqual(1_000);
        expect(clock.delays).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves a reserve to others where it is asked to', async () => {
    const budget = new PacketBudget(new FakeClock());
    const taken = Array.from({ length: 10 }, () => budget.tryTake(4));
    expect(taken).toEqual([...Array(6).fill(true), ...Array(4).fill(false)]);
    expect(Array.from({ length: 5 }, () => budget.tryTake(0))).toEqual([...Array(4).fill(true), false]);
  });

  it('lets nobody take a packet past those who wait', async () => {
    const clock = new FakeClock();
    const budget = new PacketBudget(clock);
    for (let i = 0; i < 12; i++) void budget.take();
    clock.suspend(1_000);
    expect(budget.tryTake(0)).toBe(false);
    await clock.advance(0);
    expect(budget.tryTake(0)).toBe(true);
  });

  it('shares a question that still waits for its turn, and asks again what was sent already', async () => {
    const clock = new FakeClock();
    const budget = new PacketBudget(clock);
    for (let i = 0; i < 10; i++) await budget.take();
    let sent = 0;
    const ask = (): Promise<number> => budget.ask('db 4', async () => ++sent);
    const waiting = [ask(), ask(), ask()];
    const other = budget.ask('db 6', async () => 'other');
    await clock.advance(1_000);
    expect([await Promise.all(waiting), await other]).toEqual([[1, 1, 1], 'other']);
    expect(await ask()).toBe(2);
  });

  it('hands a failure to everybody who shared the question', async () => {
    const budget = new PacketBudget(new FakeClock());
    const fail = (): Promise<never> => Promise.reject(new Error('SERVFAIL'));
    const asked = [budget.ask('db', fail), budget.ask('db', fail)];
    for (const each of asked) await expect(each).rejects.toThrow('SERVFAIL');
    expect(await budget.ask('db', async () => 'again')).toBe('again');
  });
});
