import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { serve } from '../../src/cli/failover/rpc.js';
import { messageOf } from '../../src/errors.js';
import type { Adopted, Operation } from './history.js';
import { Leftovers } from './leftovers.js';
import { Load, type OutcomeOf } from './load.js';
import { LIMIT_MILLIS, type OpenWork, type Target, type Work } from './work.js';

/** The pool under test and its load, in a process of their own. */
export interface LoadMethods {
  open(argument: { readonly driver: string; readonly target: Target }): Promise<void>;
  start(argument: { readonly ratePerSecond: number }): Promise<void>;
  /** Work that begins from now on is done by this server: true when it is seen. */
  reached(argument: { readonly server: number }): Promise<boolean>;
  /** All that began before has settled. Resolves to what has, since the last call. */
  settled(): Promise<readonly Operation[]>;
  end(): Promise<End>;
}

export interface End {
  readonly operations: readonly Operation[];
  readonly adopted: readonly Adopted[];
  /** What would have ended a process that does not catch everything. */
  readonly crashes: readonly string[];
  /** Timers and sockets after the pool's end. */
  readonly left: readonly string[];
}

const LEFT_MILLIS = 5_000;

const crashes: string[] = [];
process.on('uncaughtException', (error) => crashes.push(`uncaught: ${error.stack ?? messageOf(error)}`));
process.on('unhandledRejection', (error) => crashes.push(`unhandled rejection: ${messageOf(error)}`));

let work: Work | undefined;
let load: Load | undefined;
let leftovers: Leftovers | undefined;

function started(): Load {
  if (load === undefined) throw new Error('open comes first');
  return load;
}

const methods: LoadMethods = {
  async open({ driver, target }) {
    const { open } = (await import(`./${driver}-work.js`)) as { readonly open: OpenWork };
    const { outcomeOf } = (await import(join(target.library, 'index.js'))) as { readonly outcomeOf: OutcomeOf };
    leftovers = new Leftovers();
    work = await open(target);
    await work.read(false);
    load = new Load(work, outcomeOf);
  },

  start({ ratePerSecond }) {
    started().start(ratePerSecond);
    return Promise.resolve();
  },

  async reached({ server }) {
    return await started().reached(server, LIMIT_MILLIS);
  },

  async settled() {
    await started().settled(LIMIT_MILLIS);
    return started().take();
  },

  async end() {
    const own = started();
    own.stop();
    await own.settled(LIMIT_MILLIS);
    const operations = [...own.take(), ...own.unsettled];
    const unended = (await endsWithin(LEFT_MILLIS)) ? [] : [`a pool that had not ended after ${LEFT_MILLIS} ms`];
    const left = (await leftovers?.after(LEFT_MILLIS)) ?? [];
    return { operations, adopted: own.adopted, crashes, left: [...unended, ...left] };
  },
};

async function endsWithin(millis: number): Promise<boolean> {
  const over = new AbortController();
  const ended = work?.end().then(() => true) ?? true;
  const late = setTimeout(millis, false, { signal: over.signal }).catch(() => false);
  try {
    return await Promise.race([ended, late]);
  } finally {
    over.abort();
  }
}

serve<LoadMethods>(methods, async () => {});
