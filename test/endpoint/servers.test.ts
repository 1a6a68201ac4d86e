import { describe, expect, it } from 'vitest';
import type { ServerWord } from '../../src/endpoint/answer.js';
import { type Round, type RoundOptions, Servers } from '../../src/endpoint/resolvers/servers.js';
import { settled } from '../fake-clock.js';

const OLD = '10.0.0.1';
const NEW = '10.0.0.2';
const lost = new Error('no answer');

/** Servers that say what the test wants: an address, none (null), or nothing at all (`lost`); and who was asked in which order. */
class Net {
  readonly says: Record<string, string | null>;
  readonly servers: Servers = new Servers();
  asked: string[] = [];
  beside: string[] = [];

  constructor(says: Net['says']) {
    this.says = says;
  }

  async ask(doubted: string | null = null, changes: Partial<RoundOptions> = {}): Promise<Round> {
    [this.asked, this.beside] = [[], []];
    const round = this.servers.ask({
      name: 'db.example.com',
      servers: Object.keys(this.says),
      timeoutMillis: 1_000,
      signal: new AbortController().signal,
      ask: async (server) => (this.asked.push(server), this.#word(server)),
      askBeside: async (server) => (this.beside.push(server), this.#word(server)),
      doubts: ({ word }) => word.addresses.includes(doubted ?? ''),
      ...changes,
    });
    round.catch(() => {});
    await settled();
    return await round;
  }

  async #word(server: string): Promise<ServerWord> {
    const says = this.says[server];
    if (says === 'lost') throw lost;
    return { server, addresses: says == null ? [] : [says], ttlSeconds: 5 };
  }
}
const word = (server: string, address: string): ServerWord => ({ server, addresses: [address], ttlSeconds: 5 });

describe('the servers of a source', () => {
  it('are asked in the order in which they are configured, until one answers', async () => {
    const net = new Net({ first: NEW, second: OLD });
    expect(await net.ask()).toEqual({ word: word('first', NEW), others: [], silent: [] });
    expect(net.asked).toEqual(['first']);
  });

  it('are each heard of once at the start, beside the one that answers', async () => {
    const net = new Net({ first: NEW, second: OLD, third: 'lost' });
    await net.ask();
    expect([net.asked, net.beside]).toEqual([['first'], ['second']]);
    // What it said is told with the next answer, and is not the answer.
    expect(await net.ask()).toEqual({ word: word('first', NEW), others: [word('second', OLD)], silent: [] });
    expect(net.beside).toEqual(['third']);
    expect(await net.ask()).toEqual({ word: word('first', NEW), others: [], silent: ['third'] });
  });

  it('are told of with the name that they were asked for', async () => {
    const net = new Net({ first: NEW, second: OLD });
    await net.ask();
    expect((await net.ask(null, { name: 'other.example.com' })).others).toEqual([]);
    expect((await net.ask()).others).toEqual([word('second', OLD)]);
  });

  it('are each heard of again from time to time', async () => {
    const net = new Net({ first: NEW, second: OLD });
    const beside: string[][] = [];
    for (let i = 0; i < 130; i++) {
      await net.ask();
      if (net.beside.length > 0) beside.push(net.beside);
    }
    expect(beside).toEqual([['second'], ['second'], ['second']]);
  });

  it('have their order back as soon as one that lost a packet answers', async () => {
    const net = new Net({ first: 'lost', second: OLD });
    expect(await net.ask()).toEqual({ word: word('second', OLD), others: [], silent: ['first'] });
    net.says['first'] = NEW;
    expect((await net.ask()).word.server).toBe('second');
    expect(net.beside).toEqual(['first']);
    expect(await net.ask()).toEqual({ word: word('first', NEW), others: [word('first', NEW)], silent: [] });
  });

  it('do not let one that stays silent hold up a question again, and ask it ever less often', async () => {
    const net = new Net({ first: 'lost', second: OLD });
    await net.ask();
    const beside: number[] = [];
    for (let i = 1; i <= 100; i++) {
      await net.ask();
      expect(net.asked).toEqual(['second']);
      if (net.beside.length > 0) beside.push(i);
    }
    expect(beside).toEqual([1, 3, 7, 15, 31, 63, 95]);
  });

  it.each([
    [{ first: OLD, second: NEW, third: OLD }, ['first', 'second'], 'second'],
    [{ first: OLD, second: OLD, third: NEW }, ['first', 'second', 'third'], 'third'],
    [{ first: OLD, second: 'lost', third: NEW }, ['first', 'second', 'third'], 'third'],
    [{ first: OLD, second: null, third: NEW }, ['first', 'second', 'third'], 'third'],
  ] as const)('are asked on while what they say is doubted (%j)', async (says, asked, answering) => {
    const net = new Net(says);
    const round = await net.ask(OLD);
    expect([net.asked, round.word]).toEqual([asked, word(answering, NEW)]);
    expect(round.others[0]).toEqual(word('first', OLD));
  });

  it('say what the first one says where each of them is doubted', async () => {
    const round = await new Net({ first: OLD, second: OLD }).ask(OLD);
    expect(round).toEqual({ word: word('first', OLD), others: [word('second', OLD)], silent: [] });
  });

  it('are asked once more where one was silent and what the others say is doubted', async () => {
    const net = new Net({ first: 'lost', second: OLD });
    let questions = 0;
    const ask: RoundOptions['ask'] = async (server) => {
      net.asked.push(server);
      if (server === 'second') return word(server, OLD);
      if (questions++ === 0) throw lost;
      return word(server, NEW);
    };
    expect(await net.ask(OLD, { ask })).toEqual({
      word: word('first', NEW),
      others: [word('second', OLD)],
      silent: [],
    });
    expect(net.asked).toEqual(['first', 'second', 'first']);
  });

  it('take no more time in all than one question may, whoever is silent', async () => {
    const net = new Net({ first: 'lost', second: 'lost', third: OLD });
    const shares: number[] = [];
    const ask: RoundOptions['ask'] = async (server, millis) => {
      if (net.says[server] !== 'lost') return word(server, OLD);
      shares.push(millis);
      throw lost;
    };
    await net.ask(OLD, { ask });
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1_000);
    expect(shares).toHaveLength(3);
  });

  it('fail with what the last one failed with', async () => {
    const net = new Net({ first: 'lost', second: 'lost' });
    await expect(net.ask()).rejects.toBe(lost);
    expect(net.asked).toEqual(['first', 'second']);
  });

  it('know no address where the first one that answers knows none', async () => {
    const net = new Net({ first: null, second: NEW });
    expect((await net.ask()).word.addresses).toEqual([]);
    expect(net.asked).toEqual(['first']);
  });
});
