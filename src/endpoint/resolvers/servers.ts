import type { ServerWord } from '../answer.js';

/** A server that answers is asked again after so many questions if none of them was put to it. */
const HEARD_EVERY = 60;
/** One that does not answer: after 1, 2, 4 … questions, but never more than so many. */
const LONGEST_REST = 32;

/** What a round of questions brought. */
export interface Round {
  /** The answer. */
  readonly word: ServerWord;
  /** What else was said, since the last round too; the latest of a server is its last. */
  readonly others: readonly ServerWord[];
  /** The servers whose latest question is unanswered. */
  readonly silent: readonly string[];
}

export interface RoundOptions {
  /** What is asked for. */
  readonly name: string;
  /** At least one, in the order in which they are configured. */
  readonly servers: readonly string[];
  /** For all of them together. */
  readonly timeoutMillis: number;
  readonly signal: AbortSignal;
  readonly ask: (server: string, timeoutMillis: number) => Promise<ServerWord>;
  /** Asks where nobody waits for the answer. */
  readonly askBeside: (server: string, timeoutMillis: number) => Promise<ServerWord>;
  /** Whether another server should be asked too: the first word is in question, the others are what else was said. */
  readonly doubts: (round: Round) => boolean;
}

interface Server {
  /** In a row. */
  failures: number;
  /** Questions until it is asked beside another one. */
  rest: number;
}

/**
 * The servers of one source: equals, but for the order in which they are configured. One that does not answer stands
 * behind the others until it does, and is asked beside them for that; the others are heard of beside the one that
 * answers, so that it is known what each of them said before.
 */
export class Servers {
  readonly #servers: Map<string, Server> = new Map();
  /** Said beside a question since the last round about the same name. */
  readonly #beside: Map<string, ServerWord[]> = new Map();

  /** The one that is asked first; undefined where there is none. */
  first(servers: readonly string[]): string | undefined {
    return this.#order(servers)[0];
  }

  /**
   * Asks one after the other until there is an answer that nobody doubts; the first one of all if each is doubted.
   * @throws what the last one failed with, if none answered
   */
  async ask(options: RoundOptions): Promise<Round> {
    const { servers, timeoutMillis } = options;
    const share = Math.max(1, Math.floor(timeoutMillis / Math.max(1, servers.length)));
    const asked = new Set<string>();
    try {
      return await this.#round(options, share, asked);
    } finally {
      if (!options.signal.aborted) this.#lookAround(options, share, asked);
    }
  }

  async #round(
    { name, servers, signal, ask, doubts }: RoundOptions,
    share: number,
    asked: Set<string>,
  ): Promise<Round> {
    let failure: unknown;
    const before = this.#beside.get(name) ?? [];
    this.#beside.delete(name);
    const said: ServerWord[] = [];
    const round = (word: ServerWord): Round => ({
      word,
      others: [...before, ...said].filter((other) => other !== word),
      silent: servers.filter((server) => this.#state(server).failures > 0),
    });
    const queue = this.#order(servers);
    let spent = 0;
    for (const server of queue) {
      if (spent === servers.length) break;
      const again = asked.has(server);
      asked.add(server);
      try {
        const word = await ask(server, share);
        this.#answered(server);
        // An empty answer is one, but not against what others say.
        if (word.addresses.length === 0 && said.length > 0) continue;
        said.push(word);
        if (word.addresses.length === 0 || !doubts(round(word))) return round(word);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
        spent++;
        this.#failed(server);
        // Only one packet may be lost; what the others say is in doubt, so there is time for it.
        if (!again) queue.push(server);
      }
    }
    const [first] = said;
    if (first === undefined) throw failure;
    return round(first);
  }

  /** At most one of those that the round did not ask. */
  #lookAround({ name, servers, askBeside }: RoundOptions, share: number, asked: ReadonlySet<string>): void {
    const others = servers.filter((server) => !asked.has(server));
    for (const server of others) this.#state(server).rest--;
    const due = others.find((server) => this.#state(server).rest < 0);
    if (due === undefined) return;
    this.#state(due).rest = HEARD_EVERY;
    askBeside(due, share).then(
      (word) => {
        this.#answered(due);
        if (word.addresses.length > 0) this.#beside.set(name, [...(this.#beside.get(name) ?? []), word]);
      },
      () => this.#failed(due),
    );
  }

  /** Who answers stands before who does not. */
  #order(servers: readonly string[]): string[] {
    const silent = (server: string): number => Number(this.#state(server).failures > 0);
    return servers.toSorted((a, b) => silent(a) - silent(b));
  }

  #answered(server: string): void {
    Object.assign(this.#state(server), { failures: 0, rest: HEARD_EVERY });
  }

  #failed(server: string): void {
    const state = this.#state(server);
    state.rest = Math.min(LONGEST_REST, 2 ** state.failures) - 1;
    state.failures++;
  }

  #state(server: string): Server {
    let state = this.#servers.get(server);
    if (state === undefined) this.#servers.set(server, (state = { failures: 0, rest: 0 }));
    return state;
  }
}
