import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Resolution, Resolver } from '../../src/endpoint/answer.js';
import { AutoResolver } from '../../src/endpoint/resolvers/auto.js';
import { settled } from '../fake-clock.js';

/** How long DNS has the word alone is the test's to say. */
const headStart = vi.hoisted(() => ({ end: (): void => {} }));
vi.mock('node:timers/promises', () => ({
  setImmediate: (value: unknown) => new Promise((resolve) => setImmediate(() => resolve(value))),
  setTimeout: (_millis: number, value: unknown) =>
    new Promise((resolve) => {
      headStart.end = () => resolve(value);
    }),
}));

const signal = new AbortController().signal;
const failure = new Error('SERVFAIL');

class Source implements Resolver {
  readonly name: string;
  readonly keepsTime: boolean;
  readonly overlapping: boolean;
  questions = 0;
  says: readonly string[] | Error | Promise<Resolution>;

  constructor(name: string, says: Source['says'], careful: boolean) {
    this.name = name;
    this.says = says;
    this.keepsTime = careful;
    this.overlapping = careful;
  }

  async resolve(): Promise<Resolution> {
    this.questions++;
    if (this.says instanceof Error) throw this.says;
    return this.says instanceof Promise ? await this.says : { addresses: this.says };
  }

  async chain(): Promise<readonly string[]> {
    return [`chain of ${this.name}`];
  }
}

let dns: Source;
let system: Source;
let auto: AutoResolver;
const ask = async (name = 'db.example.com') => (await auto.resolve(name, signal)).addresses;

beforeEach(() => {
  dns = new Source('dns', ['10.0.0.1'], true);
  system = new Source('system', ['10.9.9.9'], false);
  auto = new AutoResolver(dns, system);
});

describe('the resolver that is not configured', () => {
  it('is DNS where DNS knows the name; the system is not even asked', async () => {
    expect(await ask()).toEqual(['10.0.0.1']);
    expect([auto.name, auto.keepsTime, auto.overlapping, system.questions]).toEqual(['dns', true, true, 0]);
    expect(await auto.chain('db.example.com', signal)).toEqual(['chain of dns']);
  });

  it.each([
    ['fails', failure],
    ['knows no address', []],
  ])('is the system where DNS %s, without waiting for longer', async (_how, says) => {
    dns.says = says;
    expect(await ask()).toEqual(['10.9.9.9']);
    expect([auto.name, auto.keepsTime, auto.overlapping]).toEqual(['system', false, false]);
  });

  it('is the system where DNS stays silent for its head start', async () => {
    dns.says = new Promise(() => {});
    const asked = ask();
    await settled();
    expect(system.questions).toBe(0);
    headStart.end();
    expect(await asked).toEqual(['10.9.9.9']);
    expect(auto.name).toBe('system');
  });

  it('is DNS where its answer has come by the end of the head start, though a busy process had not read it', async () => {
    let answer: (resolution: Resolution) => void = () => {};
    dns.says = new Promise((resolve) => (answer = resolve));
    const asked = ask();
    await settled();
    headStart.end();
    // The timers have had their turn; the sockets have theirs now.
    await new Promise((resolve) => process.nextTick(resolve));
    answer({ addresses: ['10.0.0.1'] });
    expect(await asked).toEqual(['10.0.0.1']);
    await settled();
    expect([auto.name, system.questions]).toEqual(['dns', 0]);
  });

  it('is DNS where it answers late, but the system knows nothing', async () => {
    let answer: (resolution: Resolution) => void = () => {};
    dns.says = new Promise((resolve) => (answer = resolve));
    system.says = failure;
    const asked = ask();
    await settled();
    headStart.end();
    await settled();
    answer({ addresses: ['10.0.0.1'] });
    expect(await asked).toEqual(['10.0.0.1']);
    expect(auto.name).toBe('dns');
  });

  it('is the one that knew the name first, though the other one answers later', async () => {
    let answer: (resolution: Resolution) => void = () => {};
    dns.says = new Promise((resolve) => (answer = resolve));
    const asked = ask();
    await settled();
    headStart.end();
    expect(await asked).toEqual(['10.9.9.9']);
    answer({ addresses: ['10.0.0.1'] });
    await settled();
    expect(auto.name).toBe('system');
    expect(await ask()).toEqual(['10.9.9.9']);
  });

  it('stays what it was chosen to be, whatever fails later', async () => {
    await ask();
    dns.says = failure;
    await expect(ask()).rejects.toBe(failure);
    dns.says = [];
    expect(await ask()).toEqual([]);
    expect([auto.name, system.questions]).toEqual(['dns', 0]);
  });

  it('is not chosen by a question that nobody could answer; the words are those of dns.lookup', async () => {
    dns.says = failure;
    system.says = new Error('getaddrinfo ENOTFOUND');
    await expect(ask()).rejects.toThrow('getaddrinfo ENOTFOUND');
    expect(auto.name).toBe('dns or system');
    expect(await auto.chain('db.example.com', signal)).toEqual([]);
    dns.says = ['10.0.0.1'];
    expect(await ask()).toEqual(['10.0.0.1']);
  });

  it.each(['localhost', 'LOCALHOST.', 'app.localhost'])('asks no DNS server for %s', async (name) => {
    expect(await ask(name)).toEqual(['10.9.9.9']);
    expect(dns.questions).toBe(0);
  });

  it('asks DNS for a name that only looks like localhost', async () => {
    await ask('notlocalhost');
    expect(dns.questions).toBe(1);
  });
});
