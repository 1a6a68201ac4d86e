import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { ResolveHelp } from '../../src/endpoint/answer.js';
import { readFollowOptions } from '../../src/endpoint/options.js';
import { follow } from '../../src/index.js';

const resolver = { name: 'mine', resolve: async () => ({ addresses: ['10.0.0.1'] }) };

describe('the options of follow', () => {
  it('have the defaults that are documented', () => {
    expect(readFollowOptions(undefined)).toMatchObject({
      mode: 'single',
      intervalMillis: 1_000,
      suspectIntervalMillis: 100,
      lookupTimeoutMillis: 1_000,
      quarantineMillis: 60_000,
      returnAfterMillis: 10_000,
      maxAnswerAgeMillis: Infinity,
      connectTimeoutMillis: 2_000,
      connectConcurrency: 4,
      clock: systemClock,
    });
    expect(readFollowOptions({})).toMatchObject({ intervalMillis: 1_000 });
    expect(readFollowOptions({ intervalMillis: undefined })).toMatchObject({ intervalMillis: 1_000 });
  });

  it('cannot be changed once they are read', () => {
    expect(Object.isFrozen(readFollowOptions({}))).toBe(true);
  });

  it.each([
    [undefined, 'dns or system'],
    ['dns', 'dns'],
    ['system', 'system'],
    [{ address: '10.0.0.1' }, 'fixed'],
    [resolver, 'mine'],
  ])('with the resolver %j ask one that is called %s', (option, name) => {
    expect(readFollowOptions({ resolver: option }).resolvers.map((each) => each.name)).toEqual([name]);
  });

  it('with servers ask DNS alone', () => {
    expect(readFollowOptions({ servers: ['10.0.0.2:53'] }).resolvers.map((each) => each.name)).toEqual(['dns']);
  });

  it('take several resolvers, in their order', () => {
    const { resolvers } = readFollowOptions({ resolver: ['system', resolver, { address: '::1' }] });
    expect(resolvers.map((each) => each.name)).toEqual(['system', 'mine', 'fixed']);
  });

  it('take an address that is always the answer', async () => {
    const [fixed] = readFollowOptions({ resolver: { address: 'FD00::0001' } }).resolvers;
    const help = {} as ResolveHelp;
    expect(await fixed!.resolve('any.example.com', new AbortController().signal, help)).toEqual({
      addresses: ['fd00::1'],
    });
  });
});

const durations = [
  'intervalMillis',
  'suspectIntervalMillis',
  'lookupTimeoutMillis',
  'quarantineMillis',
  'returnAfterMillis',
  'maxAnswerAgeMillis',
  'connectTimeoutMillis',
] as const;

describe('a wrong option of follow', () => {
  it.each(durations.flatMap((name) => [-1, NaN, '5', null, true, [1_000]].map((value) => [name, value] as const)))(
    'is %s: %j',
    (name, value) => {
      expect(() => follow('db.example.com', { [name]: value })).toThrow(coded(`option follow.${name}: expected`));
    },
  );

  it.each([
    ['intervalMillis', 99],
    ['suspectIntervalMillis', 99],
    ['lookupTimeoutMillis', 0],
    ['maxAnswerAgeMillis', 0],
    ['connectTimeoutMillis', 0],
    ['intervalMillis', 2 ** 31],
    ['intervalMillis', Infinity],
    ['quarantineMillis', Infinity],
    ['connectConcurrency', 0],
    ['connectConcurrency', 1.5],
    ['connectConcurrency', -1],
    ['connectConcurrency', NaN],
    ['connectConcurrency', '4'],
    ['connectConcurrency', Infinity],
    ['mode', 'multi'],
    ['mode', null],
    ['family', 5],
    ['family', '4'],
    ['allow', 'public'],
    ['allow', []],
    ['allow', null],
    ['allow', { cidr: '10.0.0.0/8' }],
    ['resolver', 'doh'],
    ['resolver', []],
    ['resolver', null],
    ['resolver', 7],
    ['servers', []],
    ['servers', '10.0.0.2'],
  ])('is %s: %j', (name, value) => {
    expect(() => follow('db.example.com', { [name]: value })).toThrow(coded(`option follow.${name}: expected`));
  });

  it.each([
    ['allow[0]', { allow: ['10.0.0.0/33'] }],
    ['allow[1]', { allow: ['private', '10.0.0.0/8/8'] }],
    ['allow[1]', { allow: ['10.0.0.0/8', 'any'] }],
    ['allow[0]', { allow: ['169.254.169.254'] }],
    ['allow[0]', { allow: ['fe80::/10'] }],
    ['servers[0]', { servers: ['ns.example.com'] }],
    ['servers[1]', { servers: ['10.0.0.2', 53] }],
    ['resolver.address', { resolver: { address: 'db.example.com' } }],
    ['resolver.address', { resolver: {} }],
    ['resolver.address', { resolver: { resolve: 'now' } }],
  ])('is %s in %j', (name, options) => {
    expect(() => follow('db.example.com', options as never)).toThrow(coded(`option follow.${name}: expected`));
  });

  it('is one that does not exist; the nearest one is named', () => {
    const options = { intervalMilis: 1_000 } as never;
    expect(() => follow('db.example.com', options)).toThrow(
      coded('option follow.intervalMilis: no such option; did you mean follow.intervalMillis?'),
    );
  });

  it.each([null, 'fast', 7, [[]]])('is an options object that is %j', (options) => {
    expect(() => follow('db.example.com', options as never)).toThrow(coded('option follow: expected an object'));
  });

  it.each([0, -1, 65_536, 1.5, NaN, '5432', undefined])('is a port that is %j', (port) => {
    const endpoint = follow('db.example.com', { resolver });
    expect(() => endpoint.connect(port as never)).toThrow(coded('option port: expected a port from 1 to 65535'));
    endpoint.close();
  });
});

function coded(start: string): unknown {
  return expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(start) });
}
