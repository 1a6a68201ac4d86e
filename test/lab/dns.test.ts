import { Resolver } from 'node:dns/promises';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DnsMode, type Lab, startLab } from '../../src/lab/index.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.close());
beforeEach(async () => {
  lab.dns.setMode({ kind: 'normal' });
  await lab.dns.resume();
  lab.dns.setAnswer({ a: [lab.current.address] });
});

/** A new resolver each time: c-ares caches inside one. One try, so that silence is seen as such. */
function resolver(servers: readonly string[] = lab.servers): Resolver {
  const fresh = new Resolver({ timeout: 300, tries: 1 });
  fresh.setServers(servers);
  return fresh;
}

async function outcome(servers?: readonly string[]): Promise<unknown> {
  return await resolver(servers)
    .resolve4(lab.name)
    .catch((error: NodeJS.ErrnoException) => error.code);
}

describe('the name', () => {
  it('is a CNAME to the name of the Elastic IP', async () => {
    expect(await resolver().resolveCname(lab.name)).toEqual([lab.publicName]);
  });

  it('answers the private address, with the TTL of the lab, to who asks from inside', async () => {
    expect(await resolver().resolve4(lab.name, { ttl: true })).toEqual([{ address: lab.current.address, ttl: 20 }]);
    expect(await outcome()).toEqual([lab.hosts[0]!.address]);
  });

  it('answers the public address to who asks from elsewhere', async () => {
    expect(await outcome(lab.publicServers)).toEqual(['75.101.137.243']);
  });

  it('answers the public address on either port to clients that are listed as public', async () => {
    await using outside = await startLab({ publicClients: ['127.0.0.0/8'] });
    expect(await outcome(outside.servers)).toEqual(['75.101.137.243']);
  });

  it('is found in any case, and no other name is', async () => {
    expect(await resolver().resolve4('DB.Example.COM')).toEqual([lab.current.address]);
    await expect(resolver().resolve4('other.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it('has IPv6 addresses only if they are set', async () => {
    expect(await resolver().resolve6(lab.name)).toEqual([]);
    lab.dns.setAnswer({ a: ['10.0.0.1', '10.0.0.2'], aaaa: ['fd00::1'] });
    expect(await resolver().resolve6(lab.name)).toEqual(['fd00::1']);
    expect((await resolver().resolve4(lab.name)).toSorted()).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('may have no CNAME', async () => {
    const name = 'ec2-198-51-100-7.eu-west-1.compute.amazonaws.com';
    await using direct = await startLab({ name, publicName: name });
    expect(direct.publicAddress).toBe('198.51.100.7');
    expect(await resolver(direct.servers).resolve4(name)).toEqual([direct.current.address]);
  });

  it('may have neighbours', async () => {
    lab.dns.setRecords('reader.example.com', [{ type: 'A', data: '10.9.8.7', ttlSeconds: 1 }]);
    expect(await resolver().resolve4('reader.example.com')).toEqual(['10.9.8.7']);
    lab.dns.setRecords('reader.example.com', []);
    await expect(resolver().resolve4('reader.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('a mode', () => {
  const codes: [DnsMode['kind'], string][] = [
    ['servfail', 'ESERVFAIL'],
    ['nxdomain', 'ENOTFOUND'],
    ['refused', 'EREFUSED'],
    ['empty', 'ENODATA'],
    ['drop', 'ETIMEOUT'],
    ['wrong-id', 'ETIMEOUT'],
  ];
  it.each(codes)('%s is %s to a resolver', async (kind, code) => {
    lab.dns.setMode({ kind } as DnsMode);
    expect(await outcome()).toBe(code);
  });

  it.each(['malformed', 'wrong-name', 'cname-loop', 'cname-only'] as const)(
    '%s gives a resolver no address',
    async (kind) => {
      lab.dns.setMode({ kind });
      const got = await outcome();
      expect(Array.isArray(got) ? got : []).toEqual([]);
    },
  );

  it('public answers the public address inside too', async () => {
    lab.dns.setMode({ kind: 'public' });
    expect(await outcome()).toEqual([lab.publicAddress]);
  });

  it('truncated makes a resolver ask again by TCP', async () => {
    lab.dns.setMode({ kind: 'truncated' });
    const before = lab.dns.queries.length;
    expect(await outcome()).toEqual([lab.current.address]);
    expect(lab.dns.queries.slice(before).map((query) => query.transport)).toEqual(['udp', 'tcp']);
  });

  it('oversized sends more than any resolver asks for', async () => {
    lab.dns.setMode({ kind: 'oversized' });
    expect((await exchange()).length).toBeGreaterThan(8_000);
  });

  it('delay holds the reply back, and a later mode does not hurry it', async () => {
    lab.dns.setMode({ kind: 'delay', millis: 60_000 });
    expect(await outcome()).toBe('ETIMEOUT');
    lab.dns.setMode({ kind: 'delay', millis: 20 });
    expect(await outcome()).toEqual([lab.current.address]);
  });

  it('flicker takes turns, A and AAAA apart', async () => {
    lab.dns.setMode({ kind: 'flicker', addresses: [['10.0.0.1', 'fd00::1'], ['10.0.0.2', 'fd00::2'], []] });
    expect(await outcome()).toEqual(['10.0.0.1']);
    expect(await resolver().resolve6(lab.name)).toEqual(['fd00::1']);
    expect(await outcome()).toEqual(['10.0.0.2']);
    expect(await outcome()).toEqual([]);
    expect(await outcome()).toEqual(['10.0.0.1']);
  });

  it('flicker between two addresses ends by itself', async () => {
    lab.dns.flicker('10.0.0.1', '10.0.0.2', 30);
    expect([await outcome(), await outcome()]).toEqual([['10.0.0.1'], ['10.0.0.2']]);
    await expect.poll(() => lab.dns.mode.kind).toBe('normal');
    expect(await outcome()).toEqual([lab.current.address]);
  });

  it('raw sends what the test makes of the query', async () => {
    lab.dns.setMode({ kind: 'raw', make: (query) => [Buffer.from('not dns'), query.subarray(0, 2)] });
    expect(String(await exchange())).toBe('not dns');
    lab.dns.setMode({ kind: 'raw', make: () => [] });
    const answered = lab.dns.nextQuery();
    void outcome();
    expect((await answered).addresses).toEqual([]);
  });

  it.each([
    [{ kind: 'servfial' }, /mode\.kind.*did you mean 'servfail'/],
    [{ kind: 'delay', millis: -1 }, /mode\.millis/],
    [{ kind: 'flicker', addresses: [] }, /mode\.addresses/],
    [{ kind: 'flicker', addresses: [['localhost']] }, /mode\.addresses/],
    [{ kind: 'raw' }, /mode\.make/],
  ])('%j is an error that names what is wrong', (mode, message) => {
    expect(() => lab.dns.setMode(mode as never)).toThrow(message);
    expect(lab.dns.mode).toEqual({ kind: 'normal' });
  });
});

describe('the server', () => {
  it('keeps a log of what was asked and answered', async () => {
    const next = lab.dns.nextQuery('A');
    await outcome();
    const query = { type: 'A', name: lab.name, view: 'private', transport: 'udp', addresses: [lab.current.address] };
    expect(await next).toMatchObject(query);
    expect(lab.dns.queries.at(-1)).toMatchObject(query);
  });

  it('is dead while paused, and comes back at its port', async () => {
    const { servers } = lab;
    await lab.dns.pause();
    expect(await outcome()).toBe('ECONNREFUSED');
    await lab.dns.resume();
    expect(lab.servers).toEqual(servers);
    expect(await outcome()).toEqual([lab.current.address]);
  });

  it('answers bytes that are no query with FORMERR, or not at all', async () => {
    expect((await exchange(Buffer.from([0xab, 0xcd, 1]))).toString('hex')).toMatch(/^abcd8001/);
  });

  it('goes on whatever bytes it gets', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((array) => Buffer.from(array));
    const socket = createSocket('udp4');
    const [address, port] = lab.servers[0]!.split(':');
    await fc.assert(
      fc.asyncProperty(bytes, async (message) => {
        const next = lab.dns.nextQuery();
        socket.send(message, Number(port), address);
        await next;
      }),
    );
    socket.close();
    expect(await outcome()).toEqual([lab.current.address]);
  });

  it('tells who waits for a query that the lab was closed', async () => {
    const other = await startLab({ hosts: 1 });
    const waiting = other.dns.nextQuery();
    await other.close();
    await expect(waiting).rejects.toMatchObject({ code: 'LAB_UNAVAILABLE' });
  });
});

/** One datagram to the private view, and the first that comes back. */
async function exchange(message?: Buffer): Promise<Buffer> {
  const name = Buffer.concat(lab.name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])));
  const query = Buffer.concat([Buffer.from('123401000001000000000000', 'hex'), name, Buffer.from('0000010001', 'hex')]);
  const socket = createSocket('udp4');
  const [address, port] = lab.servers[0]!.split(':');
  socket.send(message ?? query, Number(port), address);
  const [reply] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return reply;
}
