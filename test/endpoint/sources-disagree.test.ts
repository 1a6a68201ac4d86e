import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EipPoolError, type Endpoint, follow, type Resolver, type WarningEvent } from '../../src/index.js';
import { VirtualClock } from '../virtual-clock.js';
import { serviceAt } from './scripted-resolver.js';

/** DNS, and a source with a quota beside it, each saying what the test has it say. */
const [A, B] = ['10.0.0.1', '10.0.0.2'];
let clock: VirtualClock;
let endpoint: Endpoint;
let says: { dns: string | Error; api: string | Error };
let asked: { api: number[] };

beforeEach(() => {
  clock = new VirtualClock();
  says = { dns: A, api: A };
  asked = { api: [] };
});
afterEach(() => endpoint.close());

async function open(provenMillis: number): Promise<void> {
  const dns: Resolver = {
    name: 'dns',
    resolve: async () => {
      if (says.dns instanceof Error) throw says.dns;
      return { addresses: [says.dns] };
    },
  };
  const api: Resolver = {
    name: 'api',
    asked: 'on-suspicion',
    resolve: async () => {
      asked.api.push(clock.now());
      if (says.api instanceof Error) throw says.api;
      return { addresses: [says.api] };
    },
  };
  endpoint = follow('db.example.com', { resolver: [dns, api], clock });
  await clock.advance(provenMillis);
  if (!(says.dns instanceof Error)) expect(at()).toBe(A);
}
const at = (): string | undefined => endpoint.current?.addresses[0];
const fail = (address: string | undefined): void =>
  endpoint.report(serviceAt(address!), 'refusing', new Error('ECONNREFUSED'));

describe('a source with a quota', () => {
  it('is asked at the start, and then not while all is well', async () => {
    await open(60_000);
    expect(asked.api).toHaveLength(1);
  });

  it('is asked within 2 s of a suspicion, then ever less often', async () => {
    await open(60_000);
    const failed = clock.now();
    fail(A);
    await clock.advance(60_000);
    const times = asked.api.slice(1).map((time) => time - failed);
    expect(times[0]).toBeLessThanOrEqual(2_200);
    const pauses = times.slice(1).map((time, i) => time - times[i]!);
    expect(pauses.length).toBeGreaterThanOrEqual(2);
    expect(pauses[0]).toBeGreaterThanOrEqual(7_500);
    expect(pauses[1]).toBeGreaterThanOrEqual(15_000);
  });

  it('waits longer after each failure', async () => {
    await open(20_000);
    says.api = new EipPoolError('API_THROTTLED', 'too many');
    fail(A);
    await clock.advance(120_000);
    const times = asked.api.slice(1);
    expect(times.length).toBeLessThan(10);
    expect(times.at(-1)! - times.at(-2)!).toBeGreaterThan(times[1]! - times[0]!);
  });

  it('is left alone after a failure by callers who wait, but not by hand', async () => {
    says.dns = new Error('SERVFAIL');
    says.api = new EipPoolError('API_THROTTLED', 'too many');
    await open(0);
    for (let i = 0; i < 10; i++) await expect(endpoint.ready()).rejects.toThrow('SERVFAIL');
    expect(asked.api).toHaveLength(1);
    await expect(endpoint.refresh()).rejects.toThrow('too many');
    expect(asked.api).toHaveLength(2);
  });

  it('that may not be asked is left alone after one warning, and the others go on', async () => {
    says.api = new EipPoolError('API_UNAUTHORIZED', 'the permission ec2:DescribeAddresses is missing');
    const warnings: WarningEvent[] = [];
    const opening = open(100);
    endpoint.on('warning', (warning) => warnings.push(warning));
    await opening;
    fail(A);
    await clock.advance(60_000);
    expect(warnings).toMatchObject([
      { code: 'SOURCE_ASIDE', message: expect.stringContaining('ec2:DescribeAddresses') as unknown },
    ]);
    expect(asked.api).toHaveLength(1);
    says.dns = B;
    await clock.advance(1_500);
    expect(at()).toBe(B);
  });
});

describe('when the API knows of a move before DNS', () => {
  it.each([
    ['long', 20_000],
    ['a short time', 3_000],
  ])('the endpoint stays with the new address for as long as DNS lags, followed for %s before', async (_, millis) => {
    await open(millis);
    fail(A);
    says.api = B;
    await clock.advance(3_000);
    expect(at()).toBe(B);
    endpoint.report(serviceAt(B), 'usable');
    // Longer than any cache keeps an answer, and than the quarantine.
    await clock.advance(300_000);
    expect([at(), endpoint.generation]).toEqual([B, 1]);
    says.dns = B;
    await clock.advance(30_000);
    expect([at(), endpoint.generation]).toEqual([B, 1]);
  });

  it('goes back when the API itself goes back', async () => {
    await open(20_000);
    fail(A);
    says.api = B;
    await clock.advance(3_000);
    endpoint.report(serviceAt(B), 'usable');
    says.api = A;
    await clock.advance(60_000);
    expect([at(), endpoint.generation]).toEqual([A, 2]);
  });

  it('believes DNS again when the API is gone for longer than a quarantine', async () => {
    await open(20_000);
    fail(A);
    says.api = B;
    await clock.advance(3_000);
    endpoint.report(serviceAt(B), 'usable');
    says.api = new Error('no route');
    await clock.advance(50_000);
    expect(at()).toBe(B);
    await clock.advance(30_000);
    expect(at()).toBe(A);
  });
});

describe('an API that lags behind DNS', () => {
  it.each([
    ['usable', 20_000],
    ['usable', 3_000],
    ['refusing', 20_000],
    ['read-only', 20_000],
    ['dead', 20_000],
  ] as const)('does not pull the endpoint back to the old address (new server %s)', async (condition, millis) => {
    await open(millis);
    says.dns = B;
    await clock.advance(1_500);
    expect(at()).toBe(B);
    // Suspicion: the API is asked, and still says what was.
    endpoint.report(serviceAt(B), condition === 'usable' ? 'starting' : condition, new Error('not yet'));
    if (condition === 'usable') endpoint.report(serviceAt(B), 'usable');
    await clock.advance(20_000);
    expect(asked.api.length).toBeGreaterThan(condition === 'usable' ? 0 : 1);
    expect([at(), endpoint.generation]).toEqual([B, 1]);
  });

  it('does not when it is asked by hand either', async () => {
    await open(20_000);
    says.dns = B;
    await clock.advance(1_500);
    const refreshed = endpoint.refresh();
    await clock.advance(0);
    await refreshed;
    await clock.advance(5_000);
    expect([at(), endpoint.generation]).toEqual([B, 1]);
  });
});
