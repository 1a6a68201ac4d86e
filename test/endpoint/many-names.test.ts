import { expect, it } from 'vitest';
import { PacketBudget } from '../../src/endpoint/packet-budget.js';
import { DnsResolver } from '../../src/endpoint/resolvers/dns.js';
import { startLab } from '../../src/lab/index.js';
import { FakeClock } from '../fake-clock.js';

it('no name that fails waits for the CNAME chains of many that are new', async () => {
  await using lab = await startLab();
  const clock = new FakeClock();
  const budget = new PacketBudget(clock);
  const { signal } = new AbortController();
  const make = (): DnsResolver => new DnsResolver({ servers: lab.servers, family: 0, timeoutMillis: 1_000, budget });
  // Their addresses take all the packets of a moment; the chains wait.
  await Promise.all(Array.from({ length: 5 }, () => make().resolve(lab.name, signal)));
  const before = lab.dns.queries.length;
  const failing = make().resolve(lab.publicName, signal, { urgency: 'suspect' });
  const asked = lab.dns.nextQuery('A');
  await clock.advance(1_100);
  await asked;
  const types = lab.dns.queries.slice(before).map(({ type }) => type);
  // Two are the schedule's share, whatever happens.
  expect(types.slice(0, types.indexOf('A'))).toEqual(['CNAME', 'CNAME']);
  expect((await failing).addresses).toEqual(lab.dns.answer.a);
});
