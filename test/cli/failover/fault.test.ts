import { describe, expect, it } from 'vitest';
import { FAULTS, faultsNamed, specOf } from '../../../src/cli/failover/fault.js';
import { Scene } from '../../../src/cli/failover/scene.js';

/** Writes down what a fault does, in its order. */
function recorder(): { readonly scene: Scene; readonly done: string[] } {
  const done: string[] = [];
  const scene = new Proxy(Object.create(Scene.prototype) as Scene, {
    get: (_, name) => {
      return async (...args: unknown[]) => void done.push([String(name), ...args].join(' '));
    },
  });
  return { scene, done };
}

describe('the faults', () => {
  it('are those of the name that was given, and of its older name', () => {
    expect(faultsNamed('silent')).toEqual(['silent']);
    expect(faultsNamed(' SIGSTOP')).toEqual(['sigstop']);
    expect([faultsNamed('killed'), faultsNamed('late')]).toEqual([['kill'], ['kill-late']]);
    expect(faultsNamed('dns')).toEqual(['dns-drop', 'dns-servfail', 'dns-empty']);
    expect(faultsNamed('all')).toEqual(FAULTS);
    expect(() => faultsNamed('silnet')).toThrow("no fault 'silnet'; did you mean 'silent'?");
  });

  it.each(FAULTS)('%s moves the name, and says so in one line', async (fault) => {
    const { scene, done } = recorder();
    await specOf(fault).inflict(scene);
    expect(done.some((verb) => verb === 'move' || verb.startsWith('flicker'))).toBe(true);
    expect(specOf(fault).description).toMatch(/^[^\n]+$/);
  });

  it.each([
    ['kill-late', ['kill', 'wait 2000', 'move']],
    ['silent-late', ['silence', 'wait 5000', 'move']],
    ['demoted', ['demote', 'wait 1000', 'move']],
    ['dns-drop', ['kill', 'failDns drop', 'move', 'wait 2000', 'mendDns']],
  ] as const)('%s happens in its order', async (fault, order) => {
    const { scene, done } = recorder();
    await specOf(fault).inflict(scene);
    expect(done).toEqual(order);
  });
});
