import { describe, expect, it } from 'vitest';
import { FakeClock } from '../fake-clock.js';
import { type Succession, successionOf, type Uptime } from '../../src/sockets/uptime.js';
import { Uptimes } from '../../src/sockets/uptimes.js';
import { FakeProber } from './fake-prober.js';

const service = { address: '10.0.0.1', port: 5_432 };

describe('a server that has run for so long', () => {
  const lost = { service, sessionId: 40, knownAt: 10_000, lostAt: 60_000 };

  it.each<[string, Partial<Uptime>, Succession]>([
    ['was started after the session', { millis: 88_000 }, 'yes'],
    ['may have been started before it, by its resolution', { millis: 89_500 }, 'unsure'],
    ['may have been started before it, by its clock', { millis: 88_950 }, 'unsure'],
    ['was started before it, or its seconds began early', { millis: 90_950 }, 'unsure'],
    ['was started before it', { millis: 91_500 }, 'no'],
    ['may have been started before it, and counts its sessions anew', { millis: 90_500, sessionId: 39 }, 'yes'],
    ['may have been started before it, and goes on counting', { millis: 90_500, sessionId: 41 }, 'unsure'],
    ['was started before it, and has counted all that there are', { millis: 91_500, sessionId: 39 }, 'no'],
    ['had its clock set back', { millis: -5 }, 'no'],
    ['recovered after the loss', { millis: 500_000, recoveredMillis: 30_000 }, 'yes'],
    ['recovered, or had its statistics reset, before the loss', { millis: 500_000, recoveredMillis: 60_000 }, 'no'],
    ['never recovered', { millis: 500_000 }, 'no'],
  ])('%s', (_, uptime, expected) => {
    expect(successionOf({ millis: 0, resolutionMillis: 1_000, ...uptime }, lost, 100_000)).toBe(expected);
  });
});

describe('asking a server for how long it has run', () => {
  const make = (): { clock: FakeClock; prober: FakeProber & { uptime?: () => Promise<Uptime> }; uptimes: Uptimes } => {
    const [clock, prober] = [new FakeClock(), new FakeProber(service.port, 'lost')];
    return { clock, prober, uptimes: new Uptimes({ clock, prober: () => prober, examine: () => Promise.resolve() }) };
  };

  it('is one question for all sessions that were lost before it, and another for one that was lost meanwhile', async () => {
    const { clock, prober, uptimes } = make();
    const answers: ((uptime: Uptime) => void)[] = [];
    prober.uptime = () => new Promise((resolve) => answers.push(resolve));
    const lose = (): Promise<Succession> =>
      uptimes.successionOf({ service, sessionId: null, knownAt: -1_000, lostAt: clock.now() });
    const found = [lose(), lose()];
    await clock.advance(10);
    found.push(lose());
    expect(answers).toHaveLength(2);
    answers[0]!({ millis: 500, resolutionMillis: 1 });
    answers[1]!({ millis: 5_000, resolutionMillis: 1 });
    expect(await Promise.all(found)).toEqual(['yes', 'yes', 'no']);
  });

  it('comes to nothing where nobody can ask, or the question fails', async () => {
    const { clock, prober, uptimes } = make();
    const lose = (): Promise<Succession> =>
      uptimes.successionOf({ service, sessionId: null, knownAt: -1_000, lostAt: clock.now() });
    expect(await lose()).toBe('no');
    prober.uptime = () => Promise.reject(new Error('no password'));
    expect(await lose()).toBe('no');
  });
});
