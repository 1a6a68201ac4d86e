import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { A, B, Followed, PUBLIC } from './scripted-resolver.js';

interface Called {
  readonly error: NodeJS.ErrnoException | null;
  readonly found: string | LookupAddress[];
  readonly family: number | undefined;
}

const look = (followed: Followed, options?: LookupOptions | number, name = 'db.example.com'): Promise<Called> =>
  new Promise((resolve) => {
    const callback = (error: NodeJS.ErrnoException | null, found: string | LookupAddress[], family?: number): void =>
      resolve({ error, found, family });
    if (options === undefined) followed.endpoint.lookup(name, callback);
    else followed.endpoint.lookup(name, options, callback);
  });

describe('lookup', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('answers as dns.lookup does: one address and its family', async () => {
    expect(await look(new Followed([A, B]))).toEqual({ error: null, found: A, family: 4 });
    expect(await look(new Followed(['fd00::1']), {})).toEqual({ error: null, found: 'fd00::1', family: 6 });
  });

  it('answers a list where all are asked for', async () => {
    const { error, found } = await look(new Followed([A, 'fd00::1']), { all: true });
    expect([error, found]).toEqual([
      null,
      [
        { address: A, family: 4 },
        { address: 'fd00::1', family: 6 },
      ],
    ]);
  });

  it.each([
    [6, 'fd00::1'],
    [{ family: 6 }, 'fd00::1'],
    [{ family: 'IPv6' as const }, 'fd00::1'],
    [{ family: 'IPv4' as const }, A],
    [4, A],
    [0, A],
  ])('answers with the family that is asked for: %j', async (options, address) => {
    expect((await look(new Followed([A, 'fd00::1']), options)).found).toBe(address);
  });

  it('fails where the name has no address of that family, and says which ones it has', async () => {
    const { error } = await look(new Followed([A]), { family: 6 });
    expect(error).toMatchObject({ code: 'NO_ADDRESS', message: `db.example.com has no IPv6 address; it has ${A}` });
  });

  it('knows its name in any case and with the dot at its end', async () => {
    expect((await look(new Followed([A]), {}, 'DB.Example.com.')).found).toBe(A);
  });

  it.each([undefined, null, 5])('leaves %o, which is no name, to dns.lookup', (name) => {
    const stock = vi.spyOn(dns, 'lookup').mockImplementation(() => {});
    new Followed([A]).endpoint.lookup(name as never, {}, () => {});
    expect(stock).toHaveBeenCalledWith(name, {}, expect.any(Function));
  });

  it('leaves other names to dns.lookup', async () => {
    const spy = vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, done: () => void) => {
      done();
    }) as never);
    const followed = new Followed([A]);
    await look(followed, { family: 4 }, 'other.example.com');
    expect(spy).toHaveBeenCalledWith('other.example.com', { family: 4 }, expect.any(Function));
    expect(followed.source.count).toBe(0);
  });

  it('fails with the reason why no connection may be made', async () => {
    const followed = new Followed([A]);
    await followed.start();
    followed.source.says = [PUBLIC];
    await followed.clock.advance(1_000);
    expect((await look(followed)).error).toMatchObject({ code: 'PUBLIC_ADDRESS' });
  });

  it('fails with what the resolver failed with, where there is no answer yet', async () => {
    const failure = new Error('SERVFAIL');
    expect((await look(new Followed(failure), { all: true })).error).toBe(failure);
  });

  it('never calls back before it has returned', async () => {
    const followed = new Followed([A]);
    await followed.start();
    let returned = false;
    await new Promise<void>((resolve) => {
      followed.endpoint.lookup('db.example.com', () => {
        expect(returned).toBe(true);
        resolve();
      });
      returned = true;
    });
  });

  it('without a callback is a mistake of the caller', () => {
    expect(() => new Followed([A]).endpoint.lookup('db.example.com', {})).toThrow(TypeError);
  });
});
