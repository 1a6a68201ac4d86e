import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { processBudget } from '../../src/endpoint/packet-budget.js';
import { SystemResolver } from '../../src/endpoint/resolvers/system.js';
import { nameService } from '../../src/endpoint/system/name-service.js';
import { untilAborted } from '../../src/endpoint/until-aborted.js';
import { settled } from '../fake-clock.js';

/** What a question fails with after its endpoint was closed must not end the process. */
async function unhandled(during: () => Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (error) => void seen.push(error));
  try {
    await during();
    await settled();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  return seen;
}

it.each([
  ['before it began', true],
  ['while it was under way', false],
])('work that was given up %s may fail, and nobody is hurt', async (_, atOnce) => {
  const closing = new AbortController();
  const seen = await unhandled(async () => {
    if (atOnce) closing.abort(new Error('closed'));
    let fail = (_error: Error): void => {};
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    const waiting = expect(untilAborted(work, closing.signal)).rejects.toThrow('closed');
    closing.abort(new Error('closed'));
    await waiting;
    fail(new Error('nobody asked any more'));
  });
  expect(seen).toEqual([]);
  expect(getEventListeners(closing.signal, 'abort')).toEqual([]);
});

it('the system is not asked for an endpoint that is closed', async () => {
  const seen = await unhandled(async () => {
    const closed = AbortSignal.abort(new Error('closed'));
    const system = new SystemResolver({ family: 0, budget: processBudget, names: nameService() });
    await expect(system.resolve('nobody.invalid', closed)).rejects.toThrow('closed');
  });
  expect(seen).toEqual([]);
});
