import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { EipPoolError } from '../../src/errors.js';
import { partOf, type Parting } from '../../src/sockets/parting.js';
import type { TrackedSocket } from '../../src/sockets/tracked-socket.js';
import { FakeClock } from '../fake-clock.js';

/** What parting knows of a socket. */
class Fake extends EventEmitter {
  state = { kind: 'open' };
  cutWith: EipPoolError | null = null;
  retired = false;
  bytesRead = 0;
  readonly connection: object | null;

  constructor(leased: boolean | null, changes: { ping?: () => Promise<void>; drainMillis?: number } = {}) {
    super();
    const retire = (): void => {
      this.retired = true;
    };
    const { ping = async () => {}, drainMillis = 2_000 } = changes;
    this.connection = leased === null ? null : { isLeased: () => leased, retire, ping, drainMillis };
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
      address: '10.0.0.1',
      to: ['10.0.0.2'],
      known: 'unknown',
      clock: this.clock,
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
    const [scene, lease, witness, other] = [new Scene(), new Fake(true), new Fake(false), new Fake(false)];
    scene.part([lease, witness, other]);
    expect(scene.closedSockets).toEqual([other]);
    await scene.clock.advance(1_999);
    expect(scene.closedSockets).toEqual([other, witness]);
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

  it('a lease that ends in time is not cut, and leaves no timer', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    scene.part([lease]);
    lease.emit('close');
    await scene.clock.advance(10_000);
    expect([lease.cutWith, scene.clock.delays]).toEqual([null, []]);
  });

  it('a witness that is slow, but heard, is life', async () => {
    const [scene, lease] = [new Scene(), new Fake(true)];
    let reply: () => void = () => {};
    const witness = new Fake(false, { ping: () => new Promise((resolve) => (reply = resolve)) });
    scene.part([lease, witness]);
    for (let i = 0; i < 5; i++) {
      await scene.clock.advance(200);
      witness.bytesRead++;
    }
    reply();
    await scene.clock.advance(0);
    expect([scene.closedSockets, lease.cutWith]).toEqual([[witness], null]);
    await scene.clock.advance(1_000);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_LEFT' });
  });

  it('an event loop that stood still is no reason to cut a lease', async () => {
    const [scene, lease] = [new Scene(), new Fake(true, { drainMillis: 120_000 })];
    scene.part([lease, new Fake(false, { ping: () => new Promise(() => {}) })]);
    scene.clock.suspend(60_000);
    await scene.clock.advance(224);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('reset')), 0, 'reset'],
    ['is not answered in time', () => new Promise<void>(() => {}), 250, 'no reply within 250 ms'],
  ])('what is leased is cut as soon as the ping %s', async (_how, ping, after, why) => {
    const [scene, lease, witness] = [new Scene(), new Fake(true), new Fake(false, { ping })];
    scene.part([lease, witness]);
    if (after > 0) await scene.clock.advance(after - 1);
    expect(lease.cutWith).toBeNull();
    await scene.clock.advance(1);
    expect(lease.cutWith).toMatchObject({
      code: 'ADDRESS_DEAD',
      message: `connection to db.example.com at 10.0.0.1 was cut: a ping on an idle connection failed: ${why}; the name is at 10.0.0.2`,
    });
    expect(scene.closedSockets).toEqual([witness]);
  });

  it('that is known to be dead, everything is cut now, and nobody is asked', () => {
    const [scene, lease, idle] = [new Scene(), new Fake(true), new Fake(false)];
    scene.part([lease, idle], { known: 'dead' });
    expect(lease.cutWith).toMatchObject({ code: 'ADDRESS_DEAD' });
    expect(scene.closed).toMatchObject([[idle, { code: 'ADDRESS_DEAD' }]]);
    expect(scene.clock.delays).toEqual([]);
  });
});
