import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Factory, Target } from '../../src/generic-pool/index.js';
import { make, moveTo, useLab } from './support.js';

interface Pair {
  readonly first: Socket;
  readonly second: Socket;
}

async function open(target: Target): Promise<Socket> {
  const socket = target.connect();
  await once(socket, 'connect');
  return socket.on('error', () => {});
}

/** A client that has two connections: for requests and for notices, say. */
const inTurn: Factory<Pair> = {
  create: async (target) => ({ first: await open(target), second: await open(target) }),
  destroy: ({ first, second }) => void [first, second].map((socket) => socket.destroy()),
};
const atOnce: Factory<Pair> = {
  ...inTurn,
  create: async (target) => {
    const [first, second] = await Promise.all([open(target), open(target)]);
    return { first, second };
  },
};

const closed = async (socket: Socket): Promise<void> => {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
};

describe.each([
  ['one after the other', inTurn],
  ['at the same time', atOnce],
])('a resource that makes two sockets %s', (_, factory) => {
  useLab({ hosts: 2 });
  // One that waited for the other's log-in to end would wait until the test is over.
  const follow = { connectTimeoutMillis: 60_000 };

  it('is one attempt: neither socket waits for the other, and the next resource waits for both', async () => {
    const pool = make(factory, { follow });
    const pairs = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    expect(pairs.flatMap(({ first, second }) => [first.destroyed, second.destroyed])).toEqual(Array(6).fill(false));
    for (const pair of pairs) await pool.release(pair);
  });

  it('may finish on both when the name leaves, and is given back without a word', async () => {
    const pool = make(factory, { follow, failover: { drainMillis: 60_000 } });
    const old = await pool.acquire();
    await moveTo(pool, 1);
    expect([old.first.destroyed, old.second.destroyed]).toEqual([false, false]);
    await pool.release(old);
    await Promise.all([closed(old.first), closed(old.second)]);
    expect(pool.size).toBe(0);
  });

  it('is cut on both at the end of drainMillis', async () => {
    const pool = make(factory, { follow, failover: { drainMillis: 50 } });
    const old = await pool.acquire();
    await moveTo(pool, 1);
    await Promise.all([closed(old.first), closed(old.second)]);
    expect(pool.borrowed).toBe(0);
    await pool.release(old);
  });

  it.each(['first', 'second'] as const)('is lost with its %s, and the next caller gets another', async (which) => {
    const pool = make(factory, { follow });
    const one = await pool.acquire();
    await pool.release(one);
    one[which].destroy(new Error('lost'));
    await Promise.all([closed(one.first), closed(one.second)]);
    const next = await pool.acquire();
    expect(next).not.toBe(one);
    await pool.release(next);
  });

  it('is none the worse for one of them that it closed itself', async () => {
    const pool = make(factory, { follow });
    const one = await pool.acquire();
    one.second.destroy();
    await pool.release(one);
    expect(await pool.acquire()).toBe(one);
    await closed(one.second);
    await pool.release(one);
    expect(await pool.acquire()).toBe(one);
    await pool.release(one);
    await moveTo(pool, 1);
    await closed(one.first);
    expect(pool.size).toBe(0);
  });
});

describe('a socket that a factory asks for', () => {
  useLab({ hosts: 2 });

  it('and closes before the resource is made is no part of it', async () => {
    const create = async (target: Target): Promise<Socket> => {
      (await open(target)).destroy();
      const { address: host, port } = target;
      const socket = connect({ host, port });
      await once(socket, 'connect');
      return socket.on('error', () => {});
    };
    const pool = make({ create, destroy: (socket: Socket) => void socket.destroy() });
    const socket = await pool.acquire();
    await pool.release(socket);
    expect(await pool.acquire()).toBe(socket);
    await pool.release(socket);
  });

  it('once the resource is made does not hold up those of others', async () => {
    let target: Target | undefined;
    const create = async (given: Target): Promise<Socket> => await open((target = given));
    const pool = make(
      { create, destroy: (socket: Socket) => void socket.destroy() },
      { follow: { connectTimeoutMillis: 60_000 } },
    );
    const one = await pool.acquire();
    const late = await Promise.all(Array.from({ length: 10 }, () => open(target!)));
    const others = await Promise.all([pool.acquire(), pool.acquire()]);
    for (const socket of late) socket.destroy();
    for (const socket of [one, ...others]) await pool.release(socket);
  });
});

describe('a resource that is no object', () => {
  useLab({ hosts: 2 });

  it.each([
    ['a string', (id: number) => `id ${id}`],
    ['a number', (id: number) => id],
    ['an object', (id: number) => ({ id })],
  ])('but %s: cut at the end of drainMillis, it is given back without a word by whoever used it', async (_, value) => {
    let made = 0;
    const destroyed: unknown[] = [];
    const factory = { create: async () => value(made++), destroy: (thing: unknown) => void destroyed.push(thing) };
    const pool = make<unknown>(factory, { failover: { drainMillis: 50 } });
    const used: unknown[] = [];
    await pool.use(async (thing) => {
      used.push(thing);
      await moveTo(pool, 1);
      await expect.poll(() => destroyed).toEqual(used);
    });
    await expect(
      pool.use(async (thing) => {
        used.push(thing);
        await moveTo(pool, 0);
        await expect.poll(() => destroyed).toEqual(used);
        throw new Error('the user’s own');
      }),
    ).rejects.toThrow('the user’s own');
    expect(pool.borrowed).toBe(0);
    await expect(pool.release(used[0])).rejects.toThrow('Resource not currently part of this pool');
  });
});
