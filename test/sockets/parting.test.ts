import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { EipPoolError } from '../../src/errors.js';
import { partOf, type Parting } from '../../src/sockets/parting.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';
import { FakeClock } from '../fake-clock.js';
import { FakeProber, type Wire } from './fake-prober.js';

const never = (): Promise<void> => new Promise(() => {});

/** What parting knows of a socket. */
class Fake extends EventEmitter {
  state = { kind: 'open' };
  cutWith: EipPoolError | null = null;
  retired = false;
  bytesRead = 0;
  readonly connection: object | null;

  constructor(leased: boolean | null, changes: { ping?: (() => Promise<void>) | 'none'; drainMillis?: number } = {}) {
    super();
    const retire = (): void => {
      this.retired = true;
    };
    const { ping = async () => void this.bytesRead++, drainMillis = 2_000 } = changes;
    const asks = ping === 'none' ? undefined : ping;
    this.connection = leased === null ? null : { isLeased: () => leased, retire, ping: asks, drainMillis };
  }

  leave(): void {
    this.state = { kind: 'leaving' };
  }

  cut(error: EipPoolError): void {
    this.cutWith = error;
    this.emit('close');
  }
}

class Scene {
  readonly clock: FakeClock = new FakeClock();
  readonly closed: [Fake, EipPoolError][] = [];

  part(sockets: readonly Fake[], changes: Partial<Parting> = {}): void {
    partOf(sockets as unknown as TrackedSocket[], {
      name: 'db.example.com',
      service: { address: '10.0.0.1', port: 5_432 },
      to: ['10.0.0.2'],
      known: 'unknown',
      clock: this.clock,
      kernel: { look: (flows) => Promise.resolve(flows.map(() => null)) },
      prober: undefined,
      pingBoundMillis: 250,
      closeIdle: (idle, error) =>
        this.closed.push(...idle.map((socket): [Fake, EipPoolError] => [socket as never, error])),
      ...changes,
    });
  }

  get closedSockets(): Fake[] {
    return this.closed.map(([socket]) => socket);
  }
}

describe('when the name leaves an address', () => {
  it('no connection there can be leased again, before anything else happens', () => {
    const [scene, sockets] = [new Scene(), [new Fake(true), new Fake(false), new Fake(null)]];
    scene.part(sockets);
    expect(sockets.map(({ state }) => state.kind)).toEqual(['leaving', 'leaving', 'leaving']);
    expect(sockets.map(({ retired }) => retired)).toEqual([true, true, false]);
  });

  it('what is idle is closed at once where nothing is leased, and nobody is asked', () => {
    const [scene, idle, bare] = [
      new Scene(),
      new Fake(false, { ping: () => Promise.reject(new Error('asked')) }),
      new Fake(null),
    ];
    scene.part([idle, bare]);
    expect(scene.closedSockets).toEqual([idle, bare]);
    expect(scene.closed[0]![1]).toMatchObject({
      code: 'ADDRESS_LEFT',
      message:
        'connection to db.example.com at 10.0.0.1 was closed: the name moved to 10.0.0.2, and nothing was running on it',
    });
    expect(scene.clock.delays).toEqual([]);
  });

  it('what is leased drains for drainMillis where an idle connection answers a ping', async () => {
    const [scene, lease, ...idle] = [new Scene(), new Fake(true), new Fake(false), new Fake(false), new Fake(false)];
    scene.part([lease, ...idle]);
    // Two may be asked; they are closed when they have been.
    expect(scene.closedSockets).toEqual(idle.slice(2));
    await scene.clock.advance(1_999);
    expect(new Set(scene.closedSockets)).toEqual(new Set(idle));
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_LEFT' });
    expect(lease.cutWith!.message).toContain('its work did not end within 2000 ms (failover.drainMillis)');
  });

  it('what is leased drains where no idle connection can be asked', async () => {
    const [scene, lease] = [new Scene(), new Fake(true, { drainMillis: 500 })];
    scene.part([lease]);
    await scene.clock.advance(499);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).not.toBeNull();
  });

  it('an idle connection that nobody can ask on is closed at once, and what is leased drains', async () => {
    const [scene, lease, idle] = [new Scene(), new Fake(true), new Fake(false, { ping: 'none' })];
    scene.part([lease, idle]);
    expect(scene.closedSockets).toEqual([idle]);
    await scene.clock.advance(1_999);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_LEFT' });
  });

  it('time in which the process could not have read anything does not count', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease]);
    scene.clock.suspend(60_000);
    await scene.clock.advance(1_799);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_LEFT' });
  });

  it('what is leased is cut in this very turn of the event loop where it may not drain at all', async () => {
    const [scene, lease] = [new Scene(), new Fake(true, { drainMillis: 0 })];
    scene.part([lease]);
    await scene.clock.advance(0);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_LEFT' });
  });

  it('a lease that ends in time is not cut, and leaves no timer', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease]);
    lease.emit('close');
    await scene.clock.advance(10_000);
    expect([lease.cutWith, scene.clock.delays]).toEqual([null, []]);
  });

  it('an event loop that stood still is no reason to cut a lease', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease, new Fake(false, { ping: never })]);
    scene.clock.suspend(60_000);
    await scene.clock.advance(450);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(50);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
  });

  it('what is leased is cut when neither of two pings is answered', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    const [one, two] = [new Fake(false, { ping: never }), new Fake(false, { ping: never })];
    scene.part([lease, one, two]);
    await scene.clock.advance(499);
    expect([lease.cutWith, scene.closedSockets]).toEqual([null, []]);
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({
      code: 'ADDRESS_DEAD',
      message:
        'connection to db.example.com at 10.0.0.1 was cut: the server there did not answer within 500 ms; the name is at 10.0.0.2',
    });
    expect(scene.closedSockets).toEqual([one, two]);
  });

  it('a ping that is late is life, and so is a byte for a lease', async () => {
    for (const says of ['witness', 'lease'] as const) {
      const [scene, lease, witness] = [new Scene(), new Fake(true), new Fake(false, { ping: never })];
      scene.part([lease, witness]);
      await scene.clock.advance(300);
      (says === 'witness' ? witness : lease).bytesRead++;
      await scene.clock.advance(1_000);
      expect([lease.cutWith, scene.closedSockets]).toEqual([null, [witness]]);
    }
  });

  it('a ping that fails on this side is no evidence', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease, new Fake(false, { ping: () => Promise.reject(new Error('not queryable')) })]);
    await scene.clock.advance(1_999);
    expect(lease.cutWith).toBeNull();
  });

  it('where leases have long to drain, their server has longer to answer, up to three seconds', async () => {
    for (const [drainMillis, silenceMillis] of [
      [2_000, 500],
      [8_000, 2_000],
      [60_000, 3_000],
    ] as const) {
      const [scene, lease] = [new Scene(), new Fake(true, { drainMillis })];
      scene.part([lease, new Fake(false, { ping: never })]);
      await scene.clock.advance(silenceMillis - 1);
      expect(lease.cutWith).toBeNull();
      await scene.clock.advance(1);
      expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
    }
  });

  it('the way there counts: a server that is far away has longer too', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease, new Fake(false, { ping: never })], { pingBoundMillis: 600 });
    await scene.clock.advance(1_199);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
  });

  it.each<[Wire, string]>([
    ['silent', 'ADDRESS_DEAD'],
    ['lost', 'ADDRESS_DEAD'],
    ['byte', 'ADDRESS_LEFT'],
    ['given up', 'ADDRESS_LEFT'],
    [{ code: 'EMFILE' }, 'ADDRESS_LEFT'],
    [{ code: 'ECONNREFUSED' }, 'ADDRESS_LEFT'],
  ])('where all are leased, the server is asked without a password: %j is the end by %s', async (wire, code) => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    const prober = new FakeProber(5_432, wire);
    scene.part([lease], { prober });
    await scene.clock.advance(500);
    expect(lease.cutWith?.code).toBe(code === 'ADDRESS_DEAD' ? code : undefined);
    await scene.clock.advance(1_500);
    expect(lease.cutWith).toMatchObject({ code });
    expect(new Set(prober.asked)).toEqual(new Set(['question apart']));
  });

  it('nobody is asked where the leases have no time to drain', async () => {
    const [scene, prober] = [new Scene(), new FakeProber(5_432, 'silent')];
    scene.part([new Fake(true, { drainMillis: 500 })], { prober });
    await scene.clock.advance(499);
    expect(prober.asked).toEqual([]);
  });

  it('that is known to be dead, everything is cut now, and nobody is asked', () => {
    const [scene, lease, idle] = [new Scene(), new Fake(true), new Fake(false)];
    scene.part([lease, idle], { known: 'dead' });
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
    expect(scene.closed).toMatchObject([[idle, { code: 'ADDRESS_DEAD' }]]);
    expect(scene.clock.delays).toEqual([]);
  });
});
