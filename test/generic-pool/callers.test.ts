import { afterEach, describe, expect, it } from 'vitest';
import { createPool, type Factory, type Options, type Pool } from '../../src/generic-pool/index.js';
import { A, B, Followed } from '../endpoint/scripted-resolver.js';
import { settled } from '../fake-clock.js';

/** A resource without a socket: it is where it was made. */
interface Thing {
  readonly address: string;
  readonly id: number;
}

/** What a caller got, or was told; undefined while it waits. */
interface Told<T> {
  value?: T;
  error?: Error & { readonly code?: string };
}

function told<T>(promise: Promise<T>): Told<T> {
  const result: Told<T> = {};
  promise.then(
    (value) => (result.value = value),
    (error: Error) => (result.error = error),
  );
  return result;
}

const TIMED_OUT = 'ResourceRequest timed out';

/** A pool on a clock of the test's, whose server is there or not as the test says. */
class Scene {
  readonly followed: Followed = new Followed([A]);
  readonly destroyed: Thing[] = [];
  readonly pool: Pool<Thing>;
  serverIs: 'there' | 'gone' | 'read-only' = 'there';
  created = 0;

  constructor(options: Options = {}, factory: Partial<Factory<Thing>> = {}) {
    const create: Factory<Thing>['create'] = async ({ address }) => {
      if (this.serverIs === 'gone') throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      return { address, id: ++this.created };
    };
    const destroy = async (thing: Thing): Promise<void> => void this.destroyed.push(thing);
    const { endpoint } = this.followed;
    this.pool = createPool({ create, destroy, ...factory }, { endpoint, port: 1, max: 1, ...options });
    scenes.push(this);
  }

  acquire(): Told<Thing> {
    return told(this.pool.acquire());
  }

  /** The server is gone, and so is what was made there, which its borrower gives up. */
  async lose(thing: Thing): Promise<void> {
    this.serverIs = 'gone';
    await this.pool.destroy(thing);
  }

  async advance(millis: number): Promise<void> {
    await this.followed.clock.advance(millis);
  }
}

const scenes: Scene[] = [];
afterEach(async () => {
  for (const { pool, followed } of scenes.splice(0)) {
    const ended = pool.drain().then(() => pool.clear());
    await followed.clock.advance(60_000);
    await ended;
    followed.endpoint.close();
  }
});

async function borrowed(options: Options = {}, factory: Partial<Factory<Thing>> = {}): Promise<[Scene, Thing]> {
  const scene = new Scene(options, factory);
  const first = scene.acquire();
  await scene.advance(0);
  return [scene, first.value!];
}

describe('a caller of a pool whose server is gone', () => {
  it.each([
    ['maxWaitingClients', { maxWaitingClients: 1 }, 0, 'max waitingClients count exceeded'],
    ['failover.maxWaiting', { failover: { maxWaiting: 1, deadlineMillis: 1_500 } }, 1, '1 callers wait'],
  ])('keeps its deadline, though another caller is refused by %s', async (_, options, others, refusal) => {
    const [scene, thing] = await borrowed({ failover: { deadlineMillis: 1_500 }, ...options });
    const waiting = scene.acquire();
    await scene.lose(thing);
    await scene.advance(100);
    for (let other = 0; other < others; other++) scene.acquire();
    const refused = scene.acquire();
    await scene.advance(0);
    expect(refused.error?.message).toContain(refusal);
    await scene.advance(1_400);
    expect(waiting.error?.message).toContain(`${TIMED_OUT}: no usable server behind db.example.com for 1500 ms`);
  });

  it('does not have its time used up by one whose time was over before', async () => {
    const [scene, thing] = await borrowed({ failover: { deadlineMillis: 1_500 } });
    const late = scene.acquire();
    await scene.lose(thing);
    await scene.advance(1_000);
    const next = scene.acquire();
    await scene.advance(500);
    expect(late.error?.code).toBe('DEADLINE_EXCEEDED');
    scene.serverIs = 'there';
    await scene.advance(900);
    expect(next.value).toBeDefined();
    await scene.pool.release(next.value!);
  });

  it('leaves no timer behind when it is served', async () => {
    const [scene, thing] = await borrowed();
    const waiting = scene.acquire();
    await scene.lose(thing);
    await scene.advance(100);
    scene.serverIs = 'there';
    await scene.advance(1_000);
    expect(waiting.value).toBeDefined();
    expect(scene.followed.clock.awaited).toBe(0);
    await scene.pool.release(waiting.value!);
  });

  it('gets the kind of promise that generic-pool was told to make', async () => {
    class Chosen<T> extends Promise<T> {}
    const scene = new Scene({ failover: { maxWaiting: 0 }, ...({ Promise: Chosen } as Options) });
    const [waits, refused] = [scene.pool.acquire(), scene.pool.acquire()];
    expect([waits, refused].every((promise) => promise instanceof Chosen)).toBe(true);
    await expect(refused).rejects.toMatchObject({ code: 'TOO_MANY_WAITING' });
    await scene.pool.release(await waits);
  });
});

describe('a pool that is drained', () => {
  it('serves who came in the same turn, as generic-pool does', async () => {
    const scene = new Scene();
    const waiting = scene.acquire();
    expect(scene.pool.pending).toBe(1);
    const drained = told(scene.pool.drain());
    const refused = scene.acquire();
    await scene.advance(0);
    expect(refused.error?.message).toBe('pool is draining and cannot accept work');
    await scene.pool.release(waiting.value!);
    await settled();
    expect(drained).toHaveProperty('value');
  });

  it('does not wait for those whom a pause holds back', async () => {
    const [scene, thing] = await borrowed();
    await Promise.all([scene.pool.pause(), scene.pool.release(thing)]);
    const held = scene.acquire();
    await scene.pool.drain();
    expect(held.error?.message).toBe('pool is draining and cannot accept work');
    scene.pool.resume();
  });
});

describe('failFastAfterMillis', () => {
  it('fails callers once there has been no server for so long, until one is found, which is looked for', async () => {
    const [scene, thing] = await borrowed({ failover: { failFastAfterMillis: 2_000, deadlineMillis: 1_000 } });
    await scene.lose(thing);
    const waits = scene.acquire();
    await scene.advance(3_500);
    expect(waits.error?.code).toBe('DEADLINE_EXCEEDED');
    const fast = scene.acquire();
    await settled();
    expect(fast.error).toMatchObject({ code: 'FAILING_FAST', cause: { code: 'ECONNREFUSED' } });
    scene.serverIs = 'there';
    await scene.advance(3_000);
    const served = scene.acquire();
    await scene.advance(0);
    expect(served.value).toBeDefined();
    await scene.pool.release(served.value!);
  });
});

describe("role: 'writable'", () => {
  const role = { failover: { role: 'writable' } } as const;

  it('takes no resource whose server is read-only, destroys it, and waits for one that takes writes', async () => {
    const scene: Scene = new Scene(role, { isWritable: async () => scene.serverIs === 'there' });
    scene.serverIs = 'read-only';
    const waiting = scene.acquire();
    await scene.advance(3_000);
    expect([waiting, scene.destroyed.length]).toEqual([{}, scene.created]);
    scene.serverIs = 'there';
    await scene.advance(1_000);
    expect(waiting.value?.id).toBe(scene.created);
    await scene.pool.release(waiting.value!);
  });

  it('says that the server is read-only to a caller whose time is over', async () => {
    const scene: Scene = new Scene(role, { isWritable: () => scene.serverIs === 'there' });
    scene.serverIs = 'read-only';
    const waiting = scene.acquire();
    await scene.advance(30_000);
    expect(waiting.error).toMatchObject({ code: 'DEADLINE_EXCEEDED', cause: { code: 'READ_ONLY_SERVER' } });
    expect(scene.destroyed).toHaveLength(scene.created);
    scene.serverIs = 'there';
  });

  it('takes it for a failure if the question fails', async () => {
    let asked = 0;
    const isWritable = async (): Promise<boolean> => {
      if (asked++ === 0) throw new Error('cut off');
      return true;
    };
    const scene = new Scene(role, { isWritable });
    const waiting = scene.acquire();
    await scene.advance(1_000);
    expect([waiting.value?.id, scene.destroyed.map(({ id }) => id)]).toEqual([2, [1]]);
    await scene.pool.release(waiting.value!);
  });

  it('needs a factory that can ask', () => {
    const factory = { create: async () => ({}), destroy: async () => {} };
    expect(() => createPool(factory, { host: 'a.b', ...role })).toThrow(/^option failover.role: .*isWritable/);
    expect(() => createPool(factory, { host: 'a.b', failover: { replay: 'reads' } })).toThrow(
      /^option failover.replay/,
    );
  });
});

describe('pause() and resume()', () => {
  it('hold new work and wait for what is borrowed', async () => {
    const [scene, thing] = await borrowed({ max: 2 });
    const paused = told(scene.pool.pause());
    const held = [scene.acquire(), scene.acquire()];
    await scene.advance(1_000);
    expect([paused, held]).toEqual([{}, [{}, {}]]);
    await scene.pool.release(thing);
    await settled();
    expect(paused).toHaveProperty('value');
    await scene.advance(1_000);
    expect(held).toEqual([{}, {}]);
    scene.pool.resume();
    await scene.advance(0);
    expect(held.map(({ value }) => value?.address)).toEqual([A, A]);
    for (const { value } of held) await scene.pool.release(value!);
  });

  it('take the name to another server: what was idle on the old one is given to nobody', async () => {
    const [scene, thing] = await borrowed();
    await Promise.all([scene.pool.pause(), scene.pool.release(thing)]);
    const held = scene.acquire();
    scene.followed.source.says = [B];
    await scene.advance(1_100);
    scene.pool.resume();
    await scene.advance(0);
    expect(held.value?.address).toBe(B);
    expect(scene.destroyed).toEqual([thing]);
    await scene.pool.release(held.value!);
  });

  it('keep nobody longer than its deadline, which says why', async () => {
    const [scene, thing] = await borrowed({ failover: { deadlineMillis: 700 } });
    const before = scene.acquire();
    void scene.pool.pause();
    const after = scene.acquire();
    await scene.advance(700);
    for (const { error } of [before, after]) {
      expect(error?.code).toBe('DEADLINE_EXCEEDED');
      expect(error?.message).toContain(
        `${TIMED_OUT}: the pool is paused, and was not resumed for 700 ms; pool: total 1`,
      );
    }
    scene.pool.resume();
    await scene.pool.release(thing);
  });

  it('rejects a pause that is ended before what was borrowed came back', async () => {
    const [scene, thing] = await borrowed();
    const paused = told(scene.pool.pause());
    scene.pool.resume();
    await settled();
    expect(paused.error).toMatchObject({ code: 'PAUSE_ENDED' });
    await scene.pool.release(thing);
  });

  it('wait for what finishes on an address that the name has left', async () => {
    const [scene, thing] = await borrowed({ failover: { drainMillis: 5_000 } });
    scene.followed.source.says = [B];
    await scene.advance(1_100);
    const paused = told(scene.pool.pause());
    await scene.advance(1_000);
    expect(paused).toEqual({});
    await scene.pool.release(thing);
    await settled();
    expect(paused).toHaveProperty('value');
    scene.pool.resume();
  });

  it.each([
    ['an address', { host: '127.0.0.1', port: 1 }],
    ['no host', {}],
  ])('work for a pool with %s too', async (_, options) => {
    const pool = createPool({ create: async () => ({}), destroy: async () => {} }, { ...options, max: 1 });
    const lease = await pool.acquire();
    const paused = told(pool.pause());
    const held = told(pool.acquire());
    await settled();
    expect([paused, held]).toEqual([{}, {}]);
    await pool.release(lease);
    await settled();
    expect([paused, held]).toEqual([{ value: undefined }, {}]);
    pool.resume();
    await settled();
    expect(held.value).toBe(lease);
    await pool.release(lease);
    await pool.drain();
  });
});

describe('a process that was suspended', () => {
  it('asks the name before it hands out what was idle', async () => {
    const [scene, thing] = await borrowed();
    await scene.pool.release(thing);
    scene.followed.source.says = [B];
    scene.followed.clock.skipWall(60_000);
    const next = scene.acquire();
    expect(scene.pool.pending).toBe(1);
    await scene.advance(0);
    expect(next.value?.address).toBe(B);
    await scene.pool.release(next.value!);
  });
});
