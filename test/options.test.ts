import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boolean,
  integer,
  invalidOption,
  millis,
  nearest,
  number,
  oneOf,
  readOptions,
  viewOf,
} from '../src/options.js';
import { asInstance, withHiddenPassword } from './unusual-options.js';

interface Options {
  readonly delayMillis: number;
  readonly share: number;
  readonly count: number;
  readonly eager: boolean;
  readonly colour: string;
}
const readers = {
  delayMillis: millis(500, 0),
  share: number(1, 0, 1),
  count: integer(3, 1, 10),
  eager: boolean(false),
  colour: oneOf('red', ['red', 'blue']),
};
const read = (input?: unknown): Options => readOptions<Options>(readers, input, 'failover');
const DEFAULTS: Options = { delayMillis: 500, share: 1, count: 3, eager: false, colour: 'red' };

describe('options', () => {
  it.each([[undefined], [{}], [{ delayMillis: undefined, eager: undefined }]])(
    'that are %j have their defaults',
    (input) => {
      expect(read(input)).toEqual(DEFAULTS);
    },
  );

  it('keep what is given, are frozen, and leave the caller’s object alone', () => {
    const input = { delayMillis: 0, share: 0.5, count: 10, eager: true, colour: 'blue' };
    const options = read(input);
    expect(options).toEqual(input);
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.isFrozen(input)).toBe(false);
  });

  it.each([
    [{ delayMillis: -1 }, 'option failover.delayMillis: expected a number of milliseconds of at least 0, got -1'],
    [{ delayMillis: NaN }, 'option failover.delayMillis: expected a number of milliseconds of at least 0, got NaN'],
    [{ delayMillis: '500' }, "option failover.delayMillis: expected a number of milliseconds of at least 0, got '500'"],
    [{ delayMillis: null }, 'option failover.delayMillis: expected a number of milliseconds of at least 0, got null'],
    [
      { delayMillis: 5n },
      'option failover.delayMillis: expected a number of milliseconds of at least 0, got 5n (a bigint)',
    ],
    [{ share: 1.1 }, 'option failover.share: expected a number from 0 to 1, got 1.1'],
    [{ count: 1.5 }, 'option failover.count: expected an integer from 1 to 10, got 1.5'],
    [{ count: 11 }, 'option failover.count: expected an integer from 1 to 10, got 11'],
    [{ count: '3' }, "option failover.count: expected an integer from 1 to 10, got '3'"],
    [{ eager: 'yes' }, "option failover.eager: expected true or false, got 'yes'"],
    [{ eager: 1 }, 'option failover.eager: expected true or false, got 1'],
    [{ colour: 'green' }, "option failover.colour: expected 'red' or 'blue', got 'green'"],
    [{ colour: ['red'] }, "option failover.colour: expected 'red' or 'blue', got an array of 1"],
    [{ delayMilis: 1 }, 'option failover.delayMilis: no such option; did you mean failover.delayMillis?'],
    [{ DELAYMILLIS: 1 }, 'option failover.DELAYMILLIS: no such option; did you mean failover.delayMillis?'],
    [{ color: 'red' }, 'option failover.color: no such option; did you mean failover.colour?'],
    [null, 'option failover: expected an object, got null'],
    ['fast', "option failover: expected an object, got 'fast'"],
    [[], 'option failover: expected an object, got an array of 0'],
    [() => {}, 'option failover: expected an object, got a function'],
  ])('that are %o are an error that says what was expected and what came', (input, message) => {
    expect(() => read(input)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message }));
  });

  it('that are unknown are an error though their value is undefined', () => {
    expect(() => read({ delay: undefined })).toThrow('no such option');
  });

  it('that hold a secret do not show it', () => {
    const secret = 'postgres://user:secret@db.example.com/application?sslmode=verify-full';
    expect(invalidOption('x', 'y', secret).message).toBe('option x: expected y, got a string of 69 characters');
    expect(invalidOption('x', 'y', { password: 'secret' }).message).toBe('option x: expected y, got an object');
  });

  it('take numbers inside their range and nothing else', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const good = value === undefined || (typeof value === 'number' && value >= 0 && value <= 1);
        if (good) expect(read({ share: value }).share).toBe(value ?? 1);
        else expect(() => read({ share: value })).toThrow('option failover.share: expected');
      }),
    );
  });
});

describe('a view of options', () => {
  const given = Object.assign(withHiddenPassword({ host: 'a.b', password: 'secret', max: 3 }), { follow: {} });
  const view = viewOf<Record<string, unknown>>(given, { follow: undefined, max: 5, stream: 'ours' });

  it('reads what it does not change where it was given, hidden or not', () => {
    expect([view['host'], view['password'], view['max'], view['stream']]).toEqual(['a.b', 'secret', 5, 'ours']);
    expect('password' in view).toBe(true);
    expect(viewOf<{ host: string }>(asInstance({ host: 'a.b' }), { port: 1 }).host).toBe('a.b');
  });

  it('does not have what it hides', () => {
    expect(view['follow']).toBeUndefined();
    expect('follow' in view).toBe(false);
  });

  it('shows what was shown, and what it adds', () => {
    expect({ ...view }).toEqual({ host: 'a.b', max: 5, stream: 'ours' });
    expect(Object.getOwnPropertyDescriptor(view, 'password')?.enumerable).toBe(false);
  });

  it('keeps to itself what is written to it', () => {
    const own = viewOf<Record<string, unknown>>(given, { follow: undefined });
    own['host'] = 'c.d';
    own['follow'] = 'written';
    expect({ ...own }).toEqual({ host: 'c.d', max: 3, follow: 'written' });
    expect(given).toEqual({ host: 'a.b', max: 3, follow: {} });
  });

  it('is an instance of the class that was given', () => {
    class Config {
      host = 'a.b';
    }
    expect(viewOf(new Config(), {})).toBeInstanceOf(Config);
  });
});

describe('the nearest name', () => {
  it('to a name that exists is that name', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,10}$/), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, fc.nat(), (known, i) => nearest(known[i % known.length]!, known) === known[i % known.length]),
    );
  });

  it('takes the fewest letters to change', () => {
    expect(nearest('intervalMs', ['lookupTimeoutMillis', 'intervalMillis', 'family'])).toBe('intervalMillis');
    expect(nearest('', ['longer', 'short'])).toBe('short');
  });
});
