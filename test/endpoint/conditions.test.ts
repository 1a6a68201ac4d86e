import { beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/endpoint/adopt.js';
import { Conditions } from '../../src/endpoint/conditions.js';
import { A, B, Followed, serviceAt } from './scripted-resolver.js';

const [DB, WEB] = [5_432, 80];
const [DB_AT_A, DB_AT_B, WEB_AT_A] = [
  { address: A, port: DB },
  { address: B, port: DB },
  { address: A, port: WEB },
];
let conditions: Conditions;
let now: number;
/** The ports to which connections are open. */
let used: number[];

beforeEach(() => {
  [conditions, now, used] = [new Conditions(), 0, [DB, WEB]];
});

const best = (...addresses: string[]): Condition => conditions.best(addresses, now, ({ port }) => used.includes(port));

describe('what the present addresses are good for', () => {
  it('is everything while nothing is known', () => {
    expect(best(A, B)).toBe('usable');
  });

  it.each(['dead', 'refusing', 'starting', 'read-only'] as const)('is %s where the only service is', (condition) => {
    conditions.note(DB_AT_A, condition, now);
    expect(best(A)).toBe(condition);
  });

  it('is that of the best address', () => {
    conditions.note(DB_AT_A, 'dead', now);
    expect(best(A, B)).toBe('usable');
    conditions.note(DB_AT_B, 'starting', now);
    expect(best(A, B)).toBe('starting');
  });

  it('is that of the port that fares best', () => {
    conditions.note(DB_AT_A, 'dead', now);
    conditions.note(WEB_AT_A, 'usable', now);
    expect(best(A)).toBe('usable');
    conditions.note(WEB_AT_A, 'refusing', now);
    expect(best(A)).toBe('refusing');
  });

  it('leaves out the good word of a service to which no connection is open, 30 seconds after it was last heard', () => {
    conditions.note(WEB_AT_A, 'usable', 0);
    conditions.note(DB_AT_A, 'dead', 0);
    now = 30_000;
    expect(best(A)).toBe('usable');
    used = [DB];
    expect(best(A)).toBe('dead');
    conditions.heard(WEB_AT_A, now);
    expect(best(A)).toBe('usable');
  });

  it('is forgotten with the address', () => {
    conditions.note(DB_AT_A, 'dead', now);
    conditions.leave(A);
    expect(best(A)).toBe('usable');
  });

  it('becomes usable by any sign of life, but for a server that takes no writes', () => {
    conditions.note(DB_AT_A, 'dead', now);
    conditions.heard(DB_AT_A, now);
    expect(best(A)).toBe('usable');
    conditions.note(DB_AT_A, 'read-only', now);
    conditions.heard(DB_AT_A, now);
    expect(best(A)).toBe('read-only');
  });
});

describe('trouble', () => {
  it.each([
    ['a failed attempt', () => conditions.note(DB_AT_A, 'refusing', now)],
    ['a lost connection', () => conditions.doubt(DB_AT_A, now)],
  ])('after %s on one port is not over when another port answers', (_what, fail) => {
    fail();
    conditions.note(WEB_AT_A, 'usable', now);
    expect(conditions.isTroubled(now)).toBe(true);
    conditions.heard(WEB_AT_A, now);
    expect(conditions.isTroubled(now)).toBe(true);
  });

  it('is over when its port answers at any address', () => {
    conditions.note(DB_AT_A, 'refusing', now);
    conditions.note(DB_AT_B, 'usable', now);
    expect(conditions.isTroubled(now)).toBe(false);
  });

  it('is over when nobody has met it for 30 seconds', () => {
    conditions.note(DB_AT_A, 'refusing', 0);
    conditions.doubt(DB_AT_A, 10_000);
    expect(conditions.isTroubled(39_999)).toBe(true);
    expect(conditions.isTroubled(40_000)).toBe(false);
  });

  it('is over when the name moves', () => {
    conditions.note(DB_AT_A, 'dead', now);
    conditions.leave(A);
    expect(conditions.isTroubled(now)).toBe(false);
  });
});

describe('an endpoint with one port in trouble', () => {
  it('is suspect for as long as that port is, however well another one fares, and says so once', async () => {
    const { endpoint, clock, ...followed } = own(new Followed());
    await followed.start();
    const web = { address: A, port: WEB };
    for (let second = 0; second < 60; second++) {
      endpoint.report(serviceAt(A), 'refusing', new Error('refused'));
      endpoint.report(web, 'usable');
      endpoint.noteLife(web);
      await clock.advance(1_000);
    }
    expect(endpoint.state).toBe('suspect');
    endpoint.report(serviceAt(A), 'usable');
    expect(endpoint.state).toBe('steady');
    expect(['suspect', 'down', 'recovered'].map((name) => followed.told(name as 'down').length)).toEqual([0, 1, 1]);
  });

  it('is well again once nobody has met the trouble for 30 seconds', async () => {
    const { endpoint, clock, ...followed } = own(new Followed());
    await followed.start();
    endpoint.report(serviceAt(A), 'refusing', new Error('refused'));
    await clock.advance(30_000);
    endpoint.noteLife({ address: A, port: WEB });
    expect(endpoint.state).toBe('steady');
  });
});

function own(followed: Followed) {
  const { endpoint, clock } = followed;
  return {
    endpoint,
    clock,
    start: () => followed.start(),
    told: (...args: Parameters<Followed['told']>) => followed.told(...args),
  };
}

describe('that no session of a moment ago goes on', () => {
  const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });

  it.each([
    ['its address refuses', 'refusing', refused],
    ['it starts', 'starting', undefined],
    ['it is dead', 'dead', undefined],
  ] as const)('is known after %s, until the name leaves the address, and of this port only', (_, condition, cause) => {
    conditions.note(DB_AT_A, condition, 5, cause);
    conditions.heard(DB_AT_A, 6);
    const known = (): boolean[] => [4, 5].map((moment) => conditions.wasAbsentAfter(DB_AT_A, moment));
    expect(known()).toEqual([true, false]);
    expect(conditions.wasAbsentAfter(WEB_AT_A, 4)).toBe(false);
    conditions.leave(A);
    expect(known()).toEqual([false, false]);
  });

  it.each(['57P01', 'ECONNRESET', 'ER_CON_COUNT_ERROR', 'CONNECT_TIMEOUT'])(
    'is not known after a login that failed with %s',
    (code) => {
      conditions.note(DB_AT_A, 'refusing', 5, Object.assign(new Error('no'), { code }));
      conditions.note(DB_AT_A, 'read-only', 5);
      expect(conditions.wasAbsentAfter(DB_AT_A, 4)).toBe(false);
    },
  );
});
