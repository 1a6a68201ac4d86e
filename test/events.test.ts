import diagnosticsChannel from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SafeEmitter } from '../src/events.js';
import { settled } from './fake-clock.js';

interface Events {
  unitTested: [{ readonly value: number }];
}

class Emitter extends SafeEmitter<Events> {
  made = 0;

  tell(value: number): void {
    this.announce('unitTested', 'db.example.com', () => {
      this.made++;
      return { value };
    });
  }
}

let emitter: Emitter;
let heard: number[];
const listen = ({ value }: { readonly value: number }): void => void heard.push(value);
const warnings = vi.spyOn(process, 'emitWarning');

beforeEach(() => {
  [emitter, heard] = [new Emitter(), []];
  warnings.mockImplementation(() => {});
});
afterEach(() => {
  warnings.mockReset();
});

describe('an event', () => {
  it('reaches its listeners, each as often as it asked to be told', () => {
    emitter.on('unitTested', listen).once('unitTested', listen);
    emitter.tell(1);
    emitter.tell(2);
    emitter.off('unitTested', listen);
    emitter.tell(3);
    expect(heard).toEqual([1, 1, 2]);
  });

  it('that nobody listens to is not even made', () => {
    emitter.tell(1);
    expect(emitter.made).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken listener');
      },
    ],
    [
      'rejects',
      async () => {
        await Promise.reject(new Error('broken listener'));
      },
    ],
  ])('reaches the next listener where one %s; that becomes a warning', async (_how, broken) => {
    emitter.on('unitTested', broken as () => void).on('unitTested', listen);
    expect(() => emitter.tell(1)).not.toThrow();
    await settled();
    expect(heard).toEqual([1]);
    expect(warnings).toHaveBeenCalledTimes(1);
    expect(warnings).toHaveBeenCalledWith(
      "a listener of the event 'unitTested' failed: broken listener",
      expect.objectContaining({ type: 'EipPoolWarning', code: 'EIP_POOL_LISTENER' }),
    );
  });

  it('is published on its diagnostics channel, with the name of its endpoint', () => {
    const published: unknown[] = [];
    const subscriber = (message: unknown): void => void published.push(message);
    diagnosticsChannel.subscribe('eip-pool:unitTested', subscriber);
    emitter.tell(7);
    diagnosticsChannel.unsubscribe('eip-pool:unitTested', subscriber);
    emitter.tell(8);
    expect(published).toEqual([{ endpoint: 'db.example.com', value: 7 }]);
  });

  it('reaches the listeners that there were when it was told', () => {
    emitter.on('unitTested', () => void emitter.on('unitTested', listen));
    emitter.tell(1);
    expect(heard).toEqual([]);
  });
});
