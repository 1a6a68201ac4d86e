import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import packet from 'dns-packet';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { PacketBudget } from '../../src/endpoint/packet-budget.js';
import { DnsResolver } from '../../src/endpoint/resolvers/dns.js';
import { follow } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';

/** Where the name points, and where a liar would have it. */
const GOOD = '127.0.0.2';
const EVIL = '127.66.66.66';
const PACKETS = 100_000;
const PER_QUESTION = 40;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
  lab.dns.setAnswer({ a: [GOOD] });
});
afterAll(async () => {
  await lab.close();
});

/** A budget whose every packet is a second after the last: this test is about answers, not about the pace. */
function unlimited(): PacketBudget {
  let now = 0;
  return new PacketBudget({ ...systemClock, now: () => (now += 1_000) });
}

const reply = (query: Buffer, changes: packet.Packet): Buffer => {
  const { id, questions } = packet.decode(query);
  return packet.encode({
    type: 'response',
    ...(id === undefined ? {} : { id }),
    ...(questions === undefined ? {} : { questions }),
    ...changes,
  });
};
const lie = (name: string): packet.Answer => ({ type: 'A', name, ttl: 60, data: EVIL });

/**
 * Each makes a packet that no careful resolver may believe. (What has the right id, port and question and is well formed
 * comes from the server that was asked, or from someone who could just as well send a proper answer.)
 */
const liars: readonly ((query: Buffer, seed: number) => Buffer)[] = [
  () => randomBytes(1 + Math.floor(Math.random() * 600)),
  (query) => Buffer.concat([query.subarray(0, 2), randomBytes(Math.floor(Math.random() * 600))]),
  (query) => Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80]), randomBytes(40)]),
  // Another id, with an address.
  (query, seed) =>
    reply(query, { id: (packet.decode(query).id! + 1 + (seed % 65_000)) & 0xffff, answers: [lie(lab.name)] }),
  // Another question.
  (query) =>
    reply(query, { questions: [{ type: 'A', name: 'other.example.com' }], answers: [lie('other.example.com')] }),
  // Cut off before its end.
  (query, seed) => {
    const whole = reply(query, { answers: [lie(lab.name)] });
    return whole.subarray(0, seed % (whole.length - 1));
  },
  // More records than there are.
  (query) => {
    const whole = reply(query, {});
    whole.writeUInt16BE(500, 6);
    return whole;
  },
  // A name that points to itself.
  (query) => {
    const whole = reply(query, { answers: [lie(lab.name)] });
    const at = query.length;
    whole.writeUInt16BE(0xc000 | Math.min(at, 0x3fff), at);
    return whole;
  },
  // CNAMEs in a circle.
  (query) =>
    reply(query, {
      answers: [
        { type: 'CNAME', name: lab.name, ttl: 1, data: 'a.example.com' },
        { type: 'CNAME', name: 'a.example.com', ttl: 1, data: lab.name },
      ],
    }),
  // Addresses that are no addresses, and too many of everything.
  (query) =>
    reply(query, {
      answers: Array.from({ length: 1_500 }, () => ({ type: 'TXT' as const, name: lab.name, ttl: 1, data: 'x' })),
    }),
  () => Buffer.alloc(0),
];

describe('hostile DNS answers', () => {
  it(`never crash, hang or convince: ${PACKETS.toLocaleString('en')} packets, among them truncated, oversized, looping and forged ones`, async () => {
    const resolver = new DnsResolver({ servers: lab.servers, family: 4, timeoutMillis: 300, budget: unlimited() });
    let sent = 0;
    lab.dns.setMode({
      kind: 'raw',
      make: (query) => {
        const lies = Array.from({ length: PER_QUESTION }, () => {
          const seed = Math.floor(Math.random() * 2 ** 31);
          return liars[seed % liars.length]!(query, seed);
        });
        sent += lies.length;
        return lies;
      },
    });
    while (sent < PACKETS) {
      const asked = Array.from({ length: 50 }, async () => {
        try {
          const { addresses } = await resolver.resolve(lab.name, AbortSignal.timeout(5_000));
          return addresses;
        } catch (error) {
          // A lie may end a question early, with an error; it is then asked again at the next turn.
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).name).not.toBe('TimeoutError');
          return [];
        }
      });
      for (const addresses of await Promise.all(asked)) expect(addresses).not.toContain(EVIL);
    }
    lab.dns.setMode({ kind: 'normal' });
    expect(await resolver.resolve(lab.name, AbortSignal.timeout(5_000))).toMatchObject({ addresses: [GOOD] });
  }, 120_000);

  it('never move an endpoint', async () => {
    lab.dns.setMode({ kind: 'normal' });
    const endpoint = follow(lab.name, { servers: lab.servers, intervalMillis: 100, lookupTimeoutMillis: 100 });
    await endpoint.ready();
    for (const make of liars) {
      const heard = new AbortController();
      const told = Promise.race(['answer', 'resolveError'].map((event) => once(endpoint, event, heard)));
      lab.dns.setMode({ kind: 'raw', make: (query) => make(query, 7) });
      await told;
      heard.abort();
      expect([endpoint.generation, endpoint.current?.addresses]).toEqual([0, [GOOD]]);
    }
    endpoint.close();
  }, 20_000);

  it('of a resolver of the user’s are read with the same care', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), async (junk) => {
        const endpoint = follow('db.example.com', { resolver: { name: 'mine', resolve: async () => junk as never } });
        const error = await endpoint.ready().then(
          (answer) => answer,
          (reason: unknown) => reason,
        );
        endpoint.close();
        expect(error).toMatchObject({ code: 'NO_ADDRESS' });
      }),
      { numRuns: 300 },
    );
  });
});
