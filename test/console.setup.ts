import { format } from 'node:util';
import { afterAll, afterEach, expect } from 'vitest';

/**
 * Nothing prints behind its user's back: neither we nor a driver (mysql2 tells of options that it does not know, Node of
 * listeners that pile up). A test in which somebody does fails.
 */
const METHODS = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const;
const printed: string[] = [];

for (const method of METHODS) {
  console[method] = (...args: unknown[]): void => void printed.push(`console.${method}: ${format(...args)}`);
}
process.on('warning', ({ name, message }) => {
  // What Node thinks of its own features, and Amazon of this Node, is not ours to answer for.
  if (name !== 'ExperimentalWarning' && !message.startsWith('NodeVersionSupportWarning'))
    printed.push(`${name}: ${message}`);
});

function expectSilence(): void {
  expect(printed.splice(0), 'printed on the console').toEqual([]);
}
afterEach(expectSilence);
afterAll(expectSilence);
