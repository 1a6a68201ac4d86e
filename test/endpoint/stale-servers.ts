import type { Condition, Verdict } from '../../src/endpoint/adopt.js';
import type { Resolver, ServerWord } from '../../src/endpoint/answer.js';
import { Following } from '../../src/endpoint/following.js';
import { type Round, Servers } from '../../src/endpoint/resolvers/servers.js';

/**
 * A world of DNS servers of which some are stale, where packets are lost and the name flickers, and in it an endpoint
 * that follows the name; drawn from a seed, on a clock of its own.
 */

const MINUTE = 60_000;
const POOL: readonly string[] = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
/** Where the name pointed before the world began. */
const BEFORE = '10.0.0.9';
const LONGEST_TTL = 300_000;

/** Mulberry32. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const never: AbortSignal = new AbortController().signal;

class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length)]!;
  }
}

interface Move {
  readonly at: number;
  readonly to: string;
  /** Until then the old and the new address alternate. */
  readonly flickersUntil: number;
}

/** Where the name really points. */
class Truth {
  readonly moves: readonly Move[];
  readonly end: number;

  constructor(dice: Dice) {
    let [at, to] = [0, dice.pick(POOL)];
    const moves: Move[] = [{ at, to, flickersUntil: 0 }];
    for (let i = dice.between(1, 6); i > 0; i--) {
      at += dice.pick([2_000, 15_000, 40_000, 90_000]) + dice.between(0, 5_000);
      to = dice.pick(POOL.filter((each) => each !== to));
      moves.push({ at, to, flickersUntil: dice.chance(0.3) ? at + dice.between(5_000, 30_000) : 0 });
    }
    this.moves = moves;
    this.end = at + 30_000;
  }

  at(time: number): string {
    return this.moves.findLast((move) => move.at <= time)?.to ?? BEFORE;
  }

  /** As a server of its zone says it: while it flickers, now the one, now the other. */
  told(time: number, dice: Dice): string {
    const move = this.moves.findLast((each) => each.at <= time);
    return move !== undefined && time < move.flickersUntil && dice.chance(0.5) ? this.at(move.at - 1) : this.at(time);
  }
}

type Kind = 'fresh' | 'cache' | 'stuck' | 'late';

class DnsServer {
  readonly name: string;
  readonly kind: Kind;
  readonly loss: number;
  readonly ttlMillis: number;
  readonly #lag: number;
  /** What a cache holds. */
  #entry: { readonly address: string; readonly until: number } | null;
  #stuckAt: number;
  #down: readonly [number, number];
  /** In the end everybody is well who is not down for good. */
  calm: 'well' | 'down' | null = null;

  constructor(name: string, truth: Truth, dice: Dice) {
    this.name = name;
    this.kind = dice.pick(['fresh', 'fresh', 'cache', 'stuck', 'late']);
    this.loss = dice.pick([0, 0.02, 0.2, 0.6]);
    this.ttlMillis = dice.pick([0, 5_000, 20_000, 60_000, 300_000]);
    this.#lag = dice.between(1_000, 60_000);
    const fetched = -dice.between(0, this.ttlMillis + 1);
    this.#entry = dice.chance(0.5) ? { address: truth.at(fetched), until: fetched + this.ttlMillis } : null;
    this.#stuckAt = dice.between(-1, truth.end);
    const from = dice.between(0, truth.end);
    this.#down = dice.chance(0.3) ? [from, from + dice.pick([1_000, 10_000, 100_000, 400_000])] : [0, 0];
  }

  /** It comes back with what it had, or with nothing. */
  restart(now: number, dice: Dice): void {
    this.#entry = null;
    if (dice.chance(0.5)) this.#stuckAt = dice.between(-1, Math.max(0, now));
  }

  answer(now: number, truth: Truth, dice: Dice): ServerWord | null {
    if (this.calm === 'down') return null;
    if (this.calm === 'well') return this.#word(truth.at(now), this.ttlMillis);
    if ((now >= this.#down[0] && now < this.#down[1]) || dice.chance(this.loss)) return null;
    switch (this.kind) {
      case 'fresh':
        return this.#word(truth.told(now, dice), this.ttlMillis);
      case 'stuck':
        return this.#word(truth.at(Math.min(now, this.#stuckAt)), this.ttlMillis);
      case 'late':
        return this.#word(truth.at(now - this.#lag), this.ttlMillis);
      case 'cache': {
        if (this.#entry === null || this.#entry.until <= now)
          this.#entry = { address: truth.told(now, dice), until: now + this.ttlMillis };
        return this.#word(this.#entry.address, this.#entry.until - now);
      }
    }
  }

  #word(address: string, ttlMillis: number): ServerWord {
    return { server: this.name, addresses: [address], ttlSeconds: Math.floor(ttlMillis / 1_000) };
  }
}

/** What the endpoint has been told, as an observer writes it down who knows nothing of its rules. */
class Record {
  readonly everNamed: Map<string, Set<string>> = new Map();
  readonly last: Map<string, { readonly addresses: readonly string[]; readonly ttlMillis: number }> = new Map();
  /** When a server last said anything but what had been left. */
  readonly news: Map<string, number> = new Map();
  /** An address that was left, and for which. */
  readonly leftFor: Map<string, readonly string[]> = new Map();

  hear(word: ServerWord, now: number, current: readonly string[]): void {
    for (const address of word.addresses) {
      if (!this.everNamed.has(address)) this.everNamed.set(address, new Set());
      this.everNamed.get(address)!.add(word.server);
    }
    this.last.set(word.server, { addresses: word.addresses, ttlMillis: (word.ttlSeconds ?? 0) * 1_000 });
    const isNews = word.addresses.some((address) => current.includes(address) || !this.leftFor.has(address));
    if (isNews || !this.news.has(word.server)) this.news.set(word.server, now);
  }
}

function written({ word, others, silent }: Round): string {
  const said = [...others, word].map(
    ({ server, addresses, ttlSeconds }) => `${server} ${addresses.join()}/${ttlSeconds}`,
  );
  return [...said, ...silent.map((server) => `${server} silent`)].join(', ');
}

export interface Broken {
  readonly what: string;
  readonly log: readonly string[];
}

export interface Outcome {
  readonly broken: Broken | null;
  readonly moves: number;
  readonly returns: number;
  readonly held: number;
  readonly rounds: number;
}

export class World {
  readonly #dice: Dice;
  readonly #truth: Truth;
  readonly #servers: readonly DnsServer[];
  readonly #log: (() => string)[] = [];
  #now = 0;
  #condition: Condition = 'usable';
  #conditionUntil = 0;
  #following!: Following;
  #asked!: Servers;
  #record!: Record;
  #broken: string | null = null;
  #moves = 0;
  #returns = 0;
  #held = 0;
  #rounds = 0;
  readonly #resolver: Resolver = { name: 'dns', resolve: () => Promise.reject(new Error('not asked')) };

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#truth = new Truth(this.#dice);
    const count = this.#dice.between(1, 5);
    this.#servers = Array.from({ length: count }, (_, i) => new DnsServer(`s${i + 1}`, this.#truth, this.#dice));
    this.#restart();
  }

  async run(): Promise<Outcome> {
    const dice = this.#dice;
    while (this.#now < this.#truth.end && this.#broken === null) {
      if (dice.chance(0.004)) this.#restart();
      if (dice.chance(0.01)) dice.pick(this.#servers).restart(this.#now, dice);
      if (dice.chance(0.03)) this.#trouble();
      await this.#round();
      this.#now += this.#condition === 'usable' ? dice.between(900, 1_100) : dice.between(100, 1_000);
    }
    await this.#calm();
    const broken = this.#broken === null ? null : { what: this.#broken, log: this.#log.map((line) => line()) };
    return { broken, moves: this.#moves, returns: this.#returns, held: this.#held, rounds: this.#rounds };
  }

  /** From now on each server says the truth or nothing: the endpoint gets there, as soon as no cache could differ. */
  async #calm(): Promise<void> {
    for (const server of this.#servers) server.calm = this.#dice.chance(0.3) ? 'down' : 'well';
    this.#dice.pick(this.#servers).calm = 'well';
    this.#condition = 'usable';
    this.#conditionUntil = Infinity;
    const end = this.#now + LONGEST_TTL + MINUTE;
    while (this.#now < end && this.#broken === null) {
      await this.#round();
      // Long after the last word of those that are down it is the pace of the watch alone that takes the time.
      this.#now += 4_000;
    }
    const truth = this.#truth.at(this.#now);
    if (this.#broken === null && this.#following.current.join() !== truth)
      this.#broken = `ends at ${this.#following.current.join()}, but everybody says ${truth}`;
  }

  /** Our process begins anew. */
  #restart(): void {
    const at = this.#now;
    this.#log.push(() => `${at} a new process`);
    this.#following = new Following({
      mode: 'single',
      returnAfterMillis: 10_000,
      quarantineMillis: 60_000,
      resolvers: [this.#resolver],
      guard: { allows: () => true },
    });
    this.#asked = new Servers();
    this.#record = new Record();
  }

  /** For less time than counts as the end of a server. */
  #trouble(): void {
    if (this.#now < this.#conditionUntil) return;
    this.#condition = this.#dice.pick<Condition>(['refusing', 'starting', 'read-only', 'dead']);
    this.#conditionUntil = this.#now + this.#dice.between(500, 20_000);
  }

  async #round(): Promise<void> {
    if (this.#condition !== 'usable' && this.#now >= this.#conditionUntil) this.#condition = 'usable';
    this.#rounds++;
    const present = { condition: this.#condition, worked: this.#dice.chance(0.5) };
    const names = this.#servers.map(({ name }) => name);
    const ask = async (name: string): Promise<ServerWord> => {
      const server = this.#servers.find((each) => each.name === name)!;
      const word = server.answer(this.#now, this.#truth, this.#dice);
      if (word === null) throw new Error('no answer');
      return word;
    };
    const told = ({ word, others, silent }: Round) => ({
      ...word,
      others,
      silent,
      servers: names,
    });
    let round: Round;
    try {
      round = await this.#asked.ask({
        name: 'db.example.com',
        servers: names,
        timeoutMillis: 1_000,
        signal: never,
        ask,
        askBeside: async (name) => await ask(name),
        doubts: (sofar) => this.#following.doubts(told(sofar), this.#resolver, false, present, this.#now),
      });
    } catch {
      this.#following.unanswered(this.#resolver, this.#now);
      return;
    }
    this.#observe(round, told(round), present);
  }

  #observe(round: Round, told: object, present: { condition: Condition; worked: boolean }): void {
    const before = this.#following.current;
    for (const word of [...round.others, round.word]) this.#record.hear(word, this.#now, before);
    const { addresses, ttlSeconds } = round.word;
    const answer = { chain: [], source: 'dns', at: this.#now, ...told, addresses, ttlSeconds: ttlSeconds ?? null };
    const verdict = this.#following.observe({ answer, resolver: this.#resolver, forced: false }, present);
    const at = this.#now;
    this.#log.push(() => `${at} ${present.condition}: ${written(round)}: ${verdict.kind}`);
    if (verdict.kind === 'held') this.#held++;
    if (verdict.kind === 'adopted') this.#judge(verdict, before, round, present.condition);
  }

  /** The property, as it is written in the design. */
  #judge(verdict: Verdict & { kind: 'adopted' }, before: readonly string[], round: Round, condition: Condition): void {
    const { everNamed, last, news, leftFor } = this.#record;
    if (verdict.dropped.length > 0) this.#moves++;
    for (const address of verdict.added) {
      const newer = leftFor.get(address);
      if (newer === undefined || condition === 'dead') continue;
      this.#returns++;
      const knew = new Set([...before, ...newer].flatMap((each) => [...(everNamed.get(each) ?? [])]));
      const ttlMillis = Math.min(LONGEST_TTL, (round.word.ttlSeconds ?? 0) * 1_000);
      for (const server of knew) {
        if (last.get(server)?.addresses.includes(address) === true) continue;
        if (this.#now - (news.get(server) ?? 0) > ttlMillis) continue;
        this.#broken ??= `returns to ${address} from ${before.join()} at ${this.#now}, though ${server} knew better`;
      }
    }
    for (const address of verdict.added) leftFor.delete(address);
    for (const address of verdict.dropped) leftFor.set(address, this.#following.current);
  }
}
