import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { serve } from '../../src/cli/failover/rpc.js';
import { messageOf } from '../../src/errors.js';
import type { Pool as PoolClass } from '../../src/pg/index.js';
import type { Adopted, Operation } from './history.js';
import { Leftovers } from './leftovers.js';
import { Load, type OutcomeOf } from './load.js';
import { NO_TOKEN } from './local.js';
import { limitMillis, type OpenWork, type Target, type Work } from './work.js';

/** The pool under test and its load, in a process of their own. */
export interface LoadMethods {
  open(argument: { readonly driver: string; readonly target: Target }): Promise<Opened>;
  start(argument: { readonly ratePerSecond: number }): Promise<void>;
  /** Begins nothing more until the next start. */
  stop(): Promise<void>;
  /** How the function behaves from now on that tells the pool its password. */
  password(argument: { readonly mode: PasswordMode }): Promise<void>;
  /** So many callers at once, and so many long statements. */
  crowd(argument: { readonly callers: number; readonly long: number }): Promise<void>;
  /**
   * From now on a second pool asks for another service, at this port of the same name, and shares what is known of the name;
   * null: no longer.
   */
  beside(argument: { readonly port: number | null }): Promise<void>;
  /** Work that begins from now on is done by this server: true when it is seen. */
  reached(argument: { readonly server: number }): Promise<boolean>;
  /** All that began before has settled. Resolves to what has, since the last call. */
  settled(): Promise<readonly Operation[]>;
  end(): Promise<End>;
}

export type PasswordMode = 'right' | 'slow' | 'none';

export interface Opened {
  readonly pid: number;
  /** Below this number, file descriptors are those that the process had before its pool: none of them becomes free. */
  readonly files: number;
  /** What this process's clock began at, in milliseconds since the Unix epoch. */
  readonly timeOrigin: number;
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
/** Longer than a server may be silent without being asked. */
const SLOW_PASSWORD_MILLIS = 1_500;
const SECOND_CALLERS = 3;
/** So often is there none while there is mostly none. */
const NO_PASSWORD = 2 / 3;

const crashes: string[] = [];
process.on('uncaughtException', (error) => crashes.push(`uncaught: ${error.stack ?? messageOf(error)}`));
process.on('unhandledRejection', (error) => crashes.push(`unhandled rejection: ${messageOf(error)}`));

let work: Work | undefined;
let load: Load | undefined;
let leftovers: Leftovers | undefined;
/** How long it may take until work is done at the next server: a crowd may have come first. */
let patienceMillis = 0;
let mode: PasswordMode = 'right';
let library = '';
let second: InstanceType<typeof PoolClass> | undefined;

async function password(right: string): Promise<string> {
  if (mode === 'slow') await setTimeout(SLOW_PASSWORD_MILLIS);
  if (mode === 'none' && Math.random() < NO_PASSWORD) throw new Error(NO_TOKEN);
  return right;
}

function started(): Load {
  if (load === undefined) throw new Error('open comes first');
  return load;
}

const methods: LoadMethods = {
  async open({ driver, target }) {
    const { open } = (await import(`./${driver}-work.js`)) as { readonly open: OpenWork };
    const { outcomeOf } = (await import(join(target.library, 'index.js'))) as { readonly outcomeOf: OutcomeOf };
    ({ library } = target);
    leftovers = new Leftovers();
    const files = await filesHere();
    work = await open(target, () => password(target.password));
    await work.read('quick');
    const { deadlineMillis } = target;
    patienceMillis = limitMillis(2, deadlineMillis);
    load = new Load(work, outcomeOf, { onLeases: driver === 'generic-pool', deadlineMillis });
    return { pid: process.pid, files, timeOrigin: performance.timeOrigin };
  },

  password({ mode: next }) {
    mode = next;
    return Promise.resolve();
  },

  crowd({ callers, long }) {
    started().long(long);
    started().crowd(callers);
    return Promise.resolve();
  },

  async beside({ port }) {
    await second?.end();
    second = undefined;
    if (port === null) return;
    const { Pool } = (await import(join(library, 'pg', 'index.js'))) as { readonly Pool: typeof PoolClass };
    const { endpoint } = work!;
    second = new Pool({ endpoint, port, user: 'somebody', password: 'else', failover: { waitAtStart: true } });
    for (let i = 0; i < SECOND_CALLERS; i++) second.query('select 1').catch(() => {});
  },

  start({ ratePerSecond }) {
    started().start(ratePerSecond);
    return Promise.resolve();
  },

  stop() {
    started().stop();
    return Promise.resolve();
  },

  async reached({ server }) {
    return await started().reached(server, patienceMillis);
  },

  async settled() {
    await started().settled();
    return started().take();
  },

  async end() {
    const own = started();
    own.stop();
    await own.settled();
    const operations = [...own.take(), ...own.unsettled];
    const unended = (await endsWithin(LEFT_MILLIS)) ? [] : [`a pool that had not ended after ${LEFT_MILLIS} ms`];
    const left = (await leftovers?.after(LEFT_MILLIS)) ?? [];
    return { operations, adopted: own.adopted, crashes, left: [...unended, ...left] };
  },
};

/** Zero where nobody can tell; then they are not taken away either. */
async function filesHere(): Promise<number> {
  return await readdir('/proc/self/fd').then(
    (files) => files.length - 1, // one of them is this look's own
    () => 0,
  );
}

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
