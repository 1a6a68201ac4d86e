import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { onAbort } from '../../src/failover/abort.js';

it('one signal that many wait for has one listener, and none when nobody waits any more', () => {
  const { signal } = new AbortController();
  const stops = Array.from({ length: 20 }, () => onAbort(signal, () => {}));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  for (const stop of stops) stop();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  onAbort(signal, () => {});
  for (const stop of stops) stop();
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
});

it('tells everybody who still waits, once, also one who brings the same function twice', () => {
  const controller = new AbortController();
  const told: string[] = [];
  const both = (): void => void told.push('both');
  for (let n = 0; n < 2; n++) onAbort(controller.signal, both);
  onAbort(controller.signal, () => void told.push('stopped'))();
  const stop = onAbort(controller.signal, () => void told.push('last'));
  controller.abort();
  stop();
  expect(told).toEqual(['both', 'both', 'last']);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});
