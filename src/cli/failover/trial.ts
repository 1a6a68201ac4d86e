import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Target } from './client.js';
import type { ClientMethods, Progress } from './client-process.js';
import type { Fault } from './fault.js';
import type { LabMethods } from './lab-process.js';
import type { Change, Operation } from './operation.js';
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
  /** How long operations may take that are under way when the load ends; what takes longer is hung. */
  readonly graceMillis: number;
  readonly onProgress?: ((label: string, progress: Progress) => void) | undefined;
  /** The change has happened. */
  readonly onChange?: ((change: Change) => void) | undefined;
}

/** What each contender did in one failover, in their order. */
export interface TrialResult {
  readonly change: Change;
  readonly operations: readonly (readonly Operation[])[];
}

/** Two real servers behind one name, and the failovers between them. */
export class Arena {
  readonly target: Target;
  readonly #lab: Child<LabMethods>;
  readonly #children: Set<Child<never>>;
  readonly #closing: AbortController = new AbortController();

  private constructor(lab: Child<LabMethods>, target: Target) {
    this.#lab = lab;
    this.target = target;
    this.#children = new Set([lab as Child<never>]);
  }

  static async open(): Promise<Arena> {
    const lab = new Child<LabMethods>(besides('lab-process.js'));
    try {
      return new Arena(lab, await lab.call('start'));
    } catch (error) {
      await lab.end();
      throw error;
    }
  }

  /** One failover under the load of every contender at once; a fresh process for each. */
  async run(fault: Fault, contenders: readonly Contender[], options: TrialOptions): Promise<TrialResult> {
    await this.heal();
    const clients = contenders.map(() => this.#fork());
    try {
      await Promise.all(clients.map((client, i) => client.call('open', { ...contenders[i]!, target: this.target })));
      const { ratePerSecond, beforeMillis, afterMillis, graceMillis } = options;
      for (const [i, client] of clients.entries()) {
        const { label } = contenders[i]!;
        client.onNote = (note) => options.onProgress?.(label, note as Progress);
        await client.call('start', { ratePerSecond, label });
      }
      await this.#wait(beforeMillis);
      const change = await this.inflict(fault);
      options.onChange?.(change);
      await this.#wait(change.at + afterMillis - sharedNow());
      const operations = await Promise.all(clients.map((client) => client.call('stop', { graceMillis })));
      return { change, operations };
    } finally {
      await Promise.all(clients.map((client) => this.#end(client)));
    }
  }

  async inflict(fault: Fault): Promise<Change> {
    return await this.#lab.call('inflict', fault);
  }

  async heal(): Promise<void> {
    await this.#lab.call('heal');
  }

  /** Ends every process, also in the middle of a run, which then fails. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the arena was closed'));
    await Promise.all([...this.#children].map((child) => child.end()));
  }

  async #wait(millis: number): Promise<void> {
    await setTimeout(Math.max(0, millis), undefined, { signal: this.#closing.signal });
  }

  #fork(): Child<ClientMethods> {
    const client = new Child<ClientMethods>(besides('client-process.js'));
    this.#children.add(client);
    return client;
  }

  async #end(client: Child<ClientMethods>): Promise<void> {
    await client.end();
    this.#children.delete(client);
  }
}

function besides(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
