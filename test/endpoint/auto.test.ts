import { beforeEach, describe, expect, it } from 'vitest';
import type { Resolution, SomeHelp } from '../../src/endpoint/answer.js';
import { AutoResolver } from '../../src/endpoint/resolvers/auto.js';
import type { Whereabouts } from '../../src/endpoint/system/name-service.js';
import { FakeClock } from '../fake-clock.js';

const signal = new AbortController().signal;
const coded = (code: string): Error => Object.assign(new Error(code), { code });
const failure = coded('ESERVFAIL');
const missing = coded('ENOTFOUND');
type Says = readonly string[] | Error | Promise<Resolution>;

class Source {
  questions: string[] = [];
  says: (name: string) => Says;

  constructor(says: Source['says']) {
    this.says = says;
  }

  async resolve(name: string, _signal?: AbortSignal, help?: SomeHelp): Promise<Resolution> {
    this.questions.push(name);
    const says = this.says(name);
    if (says instanceof Error) throw says;
    if (says instanceof Promise) return await says;
    help?.early?.({ addresses: says });
    return { addresses: says, chain: [`behind ${name}`] };
  }

  async chain(name: string): Promise<readonly string[]> {
    return [`chain of ${name}`];
  }
}

let clock: FakeClock;
let dns: Source;
let system: Source;
let where: Whereabouts;
let auto: AutoResolver;
const name = 'db.example.com';
const ask = async (help?: SomeHelp) => (await auto.resolve(name, signal, help)).addresses;
const later = (): { readonly promise: Promise<Resolution>; answer(...addresses: string[]): void } => {
  let answer: (...addresses: string[]) => void = () => {};
  const promise = new Promise<Resolution>((resolve) => (answer = (...addresses) => resolve({ addresses })));
  return { promise, answer: (...addresses) => answer(...addresses) };
};

beforeEach(() => {
  clock = new FakeClock();
  dns = new Source(() => ['10.0.0.1']);
  system = new Source(() => ['10.9.9.9']);
  where = { kind: 'dns', forms: [name] };
  auto = new AutoResolver({ dns: () => dns, system, whereabouts: () => where, clock });
});

describe('a name that the system’s files lead to DNS for', () => {
  it('is asked of DNS; the system is not even asked', async () => {
    expect(await auto.resolve(name, signal)).toEqual({ addresses: ['10.0.0.1'], chain: ['behind db.example.com'] });
    expect([auto.name, system.questions]).toEqual(['dns', []]);
    expect(await auto.chain(name, signal)).toEqual(['chain of db.example.com']);
    expect(clock.delays).toEqual([]);
  });

  it.each([
    ['fails', failure],
    ['does not know it', missing],
    ['knows no address', []],
  ])('is asked of the system where DNS %s, without waiting for longer', async (_how, says) => {
    dns.says = () => says;
    expect(await ask()).toEqual(['10.9.9.9']);
    expect([auto.name, await auto.chain(name, signal)]).toEqual(['system', []]);
  });

  it('is asked of the system too where DNS is silent for a second: the first that knows it is taken', async () => {
    const [late, slow] = [later(), later()];
    dns.says = () => late.promise;
    system.says = () => slow.promise;
    const asked = ask();
    await clock.advance(999);
    expect(system.questions).toEqual([]);
    await clock.advance(1);
    expect(system.questions).toEqual([name]);
    late.answer('10.0.0.1');
    expect(await asked).toEqual(['10.0.0.1']);
    slow.answer('10.9.9.9');
    await clock.advance(0);
    expect(auto.name).toBe('dns');
  });

  it('is asked of the system from then on where that answered first, until DNS says the same', async () => {
    dns.says = () => later().promise;
    const asked = ask();
    await clock.advance(1_000);
    expect(await asked).toEqual(['10.9.9.9']);
    dns.says = () => ['10.0.0.1'];
    await clock.advance(29_999);
    expect([await ask(), dns.questions.length]).toEqual([['10.9.9.9'], 1]);
    await clock.advance(1);
    expect([await ask(), dns.questions.length]).toEqual([['10.9.9.9'], 2]);
    dns.says = () => ['10.9.9.9'];
    await clock.advance(30_000);
    await ask();
    await clock.advance(0);
    expect(auto.name).toBe('dns');
    await ask();
    expect(dns.questions.length).toBe(4);
  });

  it('stays with who was chosen, whatever fails later', async () => {
    await ask();
    dns.says = () => failure;
    await expect(ask()).rejects.toBe(failure);
    dns.says = () => [];
    await expect(ask()).rejects.toMatchObject({ code: 'NO_ADDRESS' });
    await clock.advance(60_000);
    await expect(ask()).rejects.toMatchObject({ code: 'NO_ADDRESS' });
    expect([auto.name, system.questions]).toEqual(['dns', []]);
  });

  it('that nobody knows chooses nobody; the words are those of dns.lookup', async () => {
    dns.says = () => missing;
    system.says = () => new Error('getaddrinfo ENOTFOUND');
    await expect(ask()).rejects.toThrow('getaddrinfo ENOTFOUND');
    expect([auto.name, await auto.chain(name, signal)]).toEqual(['dns or system', []]);
    dns.says = () => ['10.0.0.1'];
    expect(await ask()).toEqual(['10.0.0.1']);
  });
});

describe('a name with several forms', () => {
  const [here, there] = ['db.here.example', 'db.there.example'];
  let known: Record<string, Says>;

  beforeEach(() => {
    known = { [there]: ['10.0.0.1'], [name]: ['75.101.137.243'] };
    where = { kind: 'dns', forms: [here, there, name] };
    dns.says = (form) => known[form] ?? missing;
  });

  it('is asked for by the first that has an address, which leads its chain', async () => {
    expect(await auto.resolve(name, signal)).toEqual({
      addresses: ['10.0.0.1'],
      chain: [there, 'behind db.there.example'],
    });
    expect(dns.questions).toEqual([here, there]);
    expect(await auto.chain(name, signal)).toEqual([there, 'chain of db.there.example']);
    await ask();
    expect(dns.questions.slice(2)).toEqual([there]);
  });

  it.each([
    ['passed over where a form has no address', [], ['10.0.0.1']],
    ['passed over where servers fail on a form', failure, ['10.0.0.1']],
  ])('is %s', async (_how, says, expected) => {
    known[here] = says;
    expect(await ask()).toEqual(expected);
  });

  it('is not asked for by a later form where the servers are silent: that one may be somebody else’s', async () => {
    known[here] = coded('LOOKUP_TIMEOUT');
    system.says = () => new Error('EAI_AGAIN');
    await expect(ask()).rejects.toThrow('EAI_AGAIN');
    expect(dns.questions).toEqual([here]);
  });

  it('is left where a form before it comes to be, half a minute later at the latest', async () => {
    await ask();
    known[here] = ['10.0.0.7'];
    await clock.advance(29_999);
    expect(await ask()).toEqual(['10.0.0.1']);
    await clock.advance(1);
    expect(await ask()).toEqual(['10.0.0.7']);
    dns.questions = [];
    await ask();
    expect(dns.questions).toEqual([here]);
  });

  it('is no move where its form is missing for a moment, though a later one has an address', async () => {
    await ask();
    known[there] = missing;
    await clock.advance(30_000);
    await expect(ask()).rejects.toBe(missing);
    known[there] = ['10.0.0.1'];
    await clock.advance(30_000);
    expect(await ask()).toEqual(['10.0.0.1']);
  });

  it('is asked for by a later one once its form stays missing', async () => {
    await ask();
    known[there] = missing;
    await clock.advance(30_000);
    await expect(ask()).rejects.toBe(missing);
    await clock.advance(30_000);
    expect(await ask()).toEqual(['75.101.137.243']);
  });
});

describe('a name that only the system knows by its files', () => {
  it('is asked of the system alone', async () => {
    where = { kind: 'system' };
    expect([await ask(), await ask(), dns.questions]).toEqual([['10.9.9.9'], ['10.9.9.9'], []]);
    expect([auto.name, await auto.chain(name, signal)]).toEqual(['system', []]);
  });

  it('goes to the system with the next question where the files come to name it, and back to DNS', async () => {
    expect(await ask()).toEqual(['10.0.0.1']);
    where = { kind: 'system' };
    expect(await ask()).toEqual(['10.9.9.9']);
    where = { kind: 'dns', forms: [name] };
    expect(await ask()).toEqual(['10.0.0.1']);
    where = { kind: 'dns', forms: ['db.corp.example', name] };
    dns.says = (form) => (form === 'db.corp.example' ? ['10.0.0.8'] : ['10.0.0.1']);
    expect(await ask()).toEqual(['10.0.0.8']);
  });
});

describe('a name that a service before DNS may know', () => {
  beforeEach(() => {
    where = { kind: 'either', forms: [name] };
  });

  it('is asked of the system where DNS says something else, and nothing that DNS says is used before', async () => {
    const early: Resolution[] = [];
    expect(await ask({ early: (part) => early.push(part) })).toEqual(['10.9.9.9']);
    await clock.advance(0);
    expect([await ask(), auto.name, dns.questions.length]).toEqual([['10.9.9.9'], 'system', 1]);
    expect(early).not.toContainEqual({ addresses: ['10.0.0.1'] });
  });

  it.each([
    ['the same', ['10.9.9.9', 'FD00::9'], ['fd00::9', '10.9.9.9']],
    ['the same, and a family that this machine does not have', ['10.9.9.9', 'fd00::9'], ['10.9.9.9']],
  ])('is asked of DNS from then on where that says %s', async (_what, fromDns, fromSystem) => {
    dns.says = () => fromDns;
    system.says = () => fromSystem;
    expect(await ask()).toEqual(fromSystem);
    await clock.advance(0);
    expect([await ask(), auto.name, system.questions.length]).toEqual([fromDns, 'dns', 1]);
  });

  it('is asked of DNS where the system does not know it', async () => {
    system.says = () => missing;
    expect([await ask(), auto.name]).toEqual([['10.0.0.1'], 'dns']);
  });

  it('has what DNS says for the time being where the system is silent, as long as it is', async () => {
    const slow = later();
    system.says = () => slow.promise;
    const asked = ask();
    await clock.advance(1_000);
    expect([await asked, auto.name]).toEqual([['10.0.0.1'], 'dns or system']);
    slow.answer('10.9.9.9');
    expect([await ask(), auto.name]).toEqual([['10.9.9.9'], 'system']);
  });

  it('that nobody knows fails with the words of dns.lookup', async () => {
    dns.says = () => failure;
    system.says = () => missing;
    await expect(ask()).rejects.toBe(missing);
    expect(auto.name).toBe('dns or system');
  });
});
