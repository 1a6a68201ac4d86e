import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Endpoint, follow, type FollowOptions } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';

let lab: Lab;
let endpoint: Endpoint;

const open = (options: FollowOptions = {}, name: string = lab.name): Endpoint => {
  endpoint = follow(name, { servers: lab.servers, ...options });
  return endpoint;
};
const addresses = (): readonly string[] => endpoint.current?.addresses ?? [];
const next = async <T>(event: string): Promise<T> => ((await once(endpoint, event)) as [T])[0];

beforeAll(async () => {
  lab = await startLab();
});
beforeEach(async () => {
  lab.dns.setMode({ kind: 'normal' });
  lab.dns.setAnswer({ a: ['127.0.0.2'] });
});
afterEach(() => {
  endpoint.close();
});
afterAll(async () => {
  await lab.close();
});

describe('an endpoint that asks DNS itself', () => {
  it('has the addresses, the smallest TTL and the CNAME chain of the answer', async () => {
    open();
    expect(await endpoint.ready()).toMatchObject({ addresses: ['127.0.0.2'], ttlSeconds: 20, chain: [lab.publicName] });
  });

  it('follows a name that has only IPv6 addresses', async () => {
    lab.dns.setAnswer({ aaaa: ['::1'] });
    open({ intervalMillis: 100 });
    expect((await endpoint.ready()).addresses).toEqual(['::1']);
    lab.dns.setAnswer({ aaaa: ['fd00::7'] });
    expect(await next('move')).toMatchObject({ from: ['::1'], to: ['fd00::7'] });
  });

  it('takes both families, IPv4 first, and only one where one is asked for', async () => {
    lab.dns.setAnswer({ a: ['127.0.0.2'], aaaa: ['::1'] });
    open();
    expect((await endpoint.ready()).addresses).toEqual(['127.0.0.2', '::1']);
    endpoint.close();
    open({ family: 6 });
    expect((await endpoint.ready()).addresses).toEqual(['::1']);
  });

  it('asks a family that answered empty only when the other one has nothing either', async () => {
    open({ intervalMillis: 100 });
    await endpoint.ready();
    const before = lab.dns.queries.length;
    await next('answer');
    await next('answer');
    expect(lab.dns.queries.slice(before).map(({ type }) => type)).not.toContain('AAAA');
    lab.dns.setAnswer({ aaaa: ['::1'] });
    expect(await next('move')).toMatchObject({ to: ['::1'] });
  });

  it('asks it again for an endpoint that is new, which shares what others know otherwise', async () => {
    open({ intervalMillis: 60_000 });
    await endpoint.ready();
    endpoint.close();
    lab.dns.setAnswer({ a: ['127.0.0.2'], aaaa: ['::1'] });
    const before = lab.dns.queries.length;
    open({ intervalMillis: 60_000 });
    expect((await endpoint.ready()).addresses).toEqual(['127.0.0.2', '::1']);
    expect(lab.dns.queries.slice(before).map(({ type }) => type)).toEqual(['A', 'AAAA']);
  });

  it('takes no silence of one family for a move of the other', async () => {
    lab.dns.setAnswer({ a: ['127.0.0.2'], aaaa: ['::1'] });
    open({ intervalMillis: 100, lookupTimeoutMillis: 150 });
    endpoint.start();
    // One that has to wait for its turn, after the tests before, joins the other one later.
    await expect.poll(addresses).toEqual(['127.0.0.2', '::1']);
    // Questions for AAAA are swallowed; those for A get an answer of another address.
    const { encode, decode } = await import('dns-packet');
    lab.dns.setMode({
      kind: 'raw',
      make: (query) => {
        const { id, questions } = decode(query);
        if (id === undefined || questions?.[0]?.type !== 'A') return [];
        const answers = [{ type: 'A' as const, name: questions[0].name, ttl: 1, data: '127.0.0.3' }];
        return encode({ type: 'response', id, questions, answers });
      },
    });
    expect(await next('move')).toMatchObject({ to: ['127.0.0.3', '::1'] });
  });

  it('reads the whole answer over TCP where it does not fit a datagram', async () => {
    lab.dns.setMode({ kind: 'truncated' });
    open();
    expect((await endpoint.ready()).addresses).toEqual(['127.0.0.2']);
    expect(lab.dns.queries.some(({ transport }) => transport === 'tcp')).toBe(true);
  });

  it.each(['servfail', 'refused', 'nxdomain', 'drop'] as const)('asks the next server after %s', async (kind) => {
    const other = await startLab();
    other.dns.setMode({ kind });
    open({ servers: [...other.servers, ...lab.servers], lookupTimeoutMillis: 400 });
    expect((await endpoint.ready()).addresses).toEqual(['127.0.0.2']);
    expect(other.dns.queries.length).toBeGreaterThan(0);
    await other.close();
  });

  it('goes on with the second server when the first one is closed, and stays with it', async () => {
    const other = await startLab();
    other.dns.setAnswer({ a: ['127.0.0.2'] });
    open({ servers: [...other.servers, ...lab.servers], intervalMillis: 100 });
    await endpoint.ready();
    await other.dns.pause();
    await next('answer');
    lab.dns.setAnswer({ a: ['127.0.0.3'] });
    expect(await next('move')).toMatchObject({ to: ['127.0.0.3'] });
    await other.close();
  });

  it('keeps the last good answer, with its age, while no server answers', async () => {
    open({ intervalMillis: 100, lookupTimeoutMillis: 100 });
    const { at } = await endpoint.ready();
    await lab.dns.pause();
    await next('resolveError');
    await next('resolveError');
    await lab.dns.resume();
    expect(addresses()).toEqual(['127.0.0.2']);
    expect([endpoint.state, endpoint.generation]).toEqual(['steady', 0]);
    await next('answer');
    expect(endpoint.current!.at).toBeGreaterThan(at);
  });

  it('refuses new connections when the last good answer is older than it may be', async () => {
    open({ intervalMillis: 100, lookupTimeoutMillis: 100, maxAnswerAgeMillis: 300 });
    await endpoint.ready();
    lab.dns.setMode({ kind: 'servfail' });
    await expect.poll(() => endpoint.snapshot().refusal?.code).toBe('ANSWER_TOO_OLD');
    const socket = endpoint.connect(lab.port);
    expect(await new Promise((resolve) => socket.once('error', resolve))).toMatchObject({ code: 'ANSWER_TOO_OLD' });
    lab.dns.setMode({ kind: 'normal' });
    await expect.poll(() => endpoint.snapshot().refusal).toBeNull();
  });

  it('sees the public view as the public view, and never dials it', async () => {
    open({ servers: lab.publicServers });
    await expect(endpoint.ready()).rejects.toMatchObject({
      name: 'PublicAddressError',
      code: 'PUBLIC_ADDRESS',
      message: expect.stringMatching(/encodes this very address.*enableDnsHostnames/s),
    });
  });

  it('takes what is left of an answer when a part of it may not be dialled', async () => {
    lab.dns.setAnswer({ a: ['169.254.169.254', '127.0.0.2', '75.101.137.243'] });
    open();
    expect((await endpoint.ready()).addresses).toEqual(['127.0.0.2']);
  });

  it('knows by the system what DNS does not, and stays with it', async () => {
    endpoint = follow('localhost');
    expect((await endpoint.ready()).source).toBe('system');
    endpoint.close();
  });

  it('shares a question that was not sent yet among all that follow the same name', async () => {
    const before = lab.dns.queries.length;
    const many = Array.from({ length: 30 }, () => follow(lab.name, { servers: lab.servers }));
    await Promise.all(many.map((each) => each.ready()));
    expect(lab.dns.queries.length - before).toBeLessThan(15);
    for (const each of many) each.close();
  });
});

describe('a return to an address that was left', () => {
  const rules = { intervalMillis: 100, returnAfterMillis: 600 };
  const [before, after] = ['127.0.0.2', '127.0.0.3'];

  /** The name has been at `before` for long, and moved to `after`. */
  async function movedOn(options: FollowOptions = rules): Promise<void> {
    lab.dns.setAnswer({ a: [before] });
    open(options);
    const { at } = await endpoint.ready();
    await expect.poll(() => endpoint.current!.at - at).toBeGreaterThan(options.returnAfterMillis!);
    lab.dns.setAnswer({ a: [after] });
    await next('move');
    expect(endpoint.snapshot().quarantined).toEqual([before]);
  }

  it('waits until every answer has named it for returnAfterMillis', async () => {
    await movedOn();
    lab.dns.setAnswer({ a: [before] });
    expect(await next('answer')).toMatchObject({ verdict: 'held' });
    // One answer to the contrary, and the time begins again.
    lab.dns.setAnswer({ a: [after] });
    expect(await next('answer')).toMatchObject({ verdict: 'confirmed' });
    lab.dns.setAnswer({ a: [before] });
    const { answer } = await next<{ answer: { at: number } }>('answer');
    expect(await next('move')).toMatchObject({ from: [after], to: [before] });
    expect(endpoint.current!.at - answer.at).toBeGreaterThanOrEqual(rules.returnAfterMillis);
  });

  it('is taken sooner while the present address refuses connections', async () => {
    await movedOn({ ...rules, returnAfterMillis: 2_500 });
    lab.dns.setAnswer({ a: [before] });
    const { answer } = await next<{ answer: { at: number } }>('answer');
    const socket = endpoint.connect(1);
    await new Promise((resolve) => socket.once('error', resolve));
    expect(endpoint.state).toBe('down');
    await next('move');
    expect(addresses()).toEqual([before]);
    const waited = endpoint.current!.at - answer.at;
    expect(waited).toBeGreaterThanOrEqual(2_000);
    expect(waited).toBeLessThan(2_500);
  }, 15_000);

  it('is taken at once when it is asked for by hand', async () => {
    await movedOn();
    lab.dns.setAnswer({ a: [before] });
    expect((await endpoint.refresh()).addresses).toEqual([before]);
    // And now it is the other one that was left for a newer one.
    expect(endpoint.snapshot().quarantined).toEqual([after]);
  });
});
