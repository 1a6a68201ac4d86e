import { type DatabaseKind, type LoadClient, type OpenClient, POOL_SIZE, type Target } from './client.js';
import { Load } from './load.js';
import { lookUpBy } from './lookup.js';
import type { Operation } from './operation.js';
import { serve, sharedNow, tell } from './rpc.js';

/** A client and its load, in a process of their own. Run by {@link import('./trial.js')}. */
export interface ClientMethods {
  /** Loads a module, and reads which server it needs: `export const database = 'mysql'`, or PostgreSQL. */
  describe(argument: { readonly module: string }): Promise<{ readonly database: DatabaseKind }>;
  /** Opens the client of a module, as many connections as it may have. */
  open(argument: { readonly module: string; readonly target: Target }): Promise<void>;
  /** The ids of its writes begin with `prefix`. */
  start(argument: { readonly ratePerSecond: number; readonly prefix: string }): Promise<void>;
  /** Begins nothing more, and waits this long for what is under way. */
  stop(argument: { readonly graceMillis: number }): Promise<Stopped>;
  /** Resolves to whether all of the client is gone, so that the process is as good as new. */
  close(argument: { readonly withinMillis: number }): Promise<boolean>;
}

export interface Stopped {
  readonly operations: readonly Operation[];
  /** Errors that nobody caught: each would have ended an application's process. */
  readonly crashes: readonly string[];
}

/** Told ten times a second while the load runs: what ended since the last time, and what is under way. */
export interface Progress {
  readonly at: number;
  readonly onServer: Readonly<Record<number, number>>;
  readonly errors: number;
  readonly waiting: number;
  /** Those of `waiting` that have been due for longer than a tick. */
  readonly overdue: number;
}

const PROGRESS_MILLIS = 100;
const POLL_MILLIS = 10;

let client: LoadClient | undefined;
let load: Load | undefined;
let progress: NodeJS.Timeout | undefined;
let lookingUp = false;
let crashes: string[] = [];
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error: unknown) => crashes.push(String(error)));
}

const KINDS: Readonly<Record<string, DatabaseKind>> = { postgres: 'embedded-postgres', mysql: 'mariadb' };

const methods: ClientMethods = {
  async describe({ module }) {
    const { open, database = 'postgres' } = (await import(module)) as { readonly open?: unknown; database?: string };
    if (typeof open !== 'function') throw new Error('it exports no function open');
    const kind = KINDS[database];
    if (kind === undefined) throw new Error(`its database: expected 'postgres' or 'mysql', got '${database}'`);
    return { database: kind };
  },

  async open({ module, target }) {
    if (!lookingUp && target.dnsServers.length > 0) lookUpBy(target.dnsServers, target.name);
    lookingUp = true;
    const opened = await openModule(module, target);
    await Promise.all(Array.from({ length: POOL_SIZE }, () => opened.read()));
    client = opened;
    crashes = [];
  },

  async start({ ratePerSecond, prefix }) {
    if (client === undefined) throw new Error('open comes before start');
    load = new Load(client, ratePerSecond, prefix);
    load.start();
    let told = 0;
    progress = setInterval(() => {
      told = tellProgress(load?.operations ?? [], told);
    }, PROGRESS_MILLIS);
  },

  async stop({ graceMillis }) {
    clearInterval(progress);
    load?.stop();
    const operations = load?.operations ?? [];
    const until = performance.now() + graceMillis;
    while (operations.some(({ endedAt }) => endedAt === null) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
    }
    return { operations, crashes };
  },

  async close({ withinMillis }) {
    const settled = load?.operations.every(({ endedAt }) => endedAt !== null) ?? true;
    const closed = Promise.resolve(client?.close()).then(
      () => true,
      () => false,
    );
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, withinMillis, false));
    return (await Promise.race([closed, late])) && settled && crashes.length === 0;
  },
};

/** A module exports `open`, which returns the client, or `open`, `write`, `read` and `close` all four. */
async function openModule(module: string, target: Target): Promise<LoadClient> {
  const exported = (await import(module)) as { readonly open?: OpenClient } & Partial<LoadClient>;
  if (typeof exported.open !== 'function') throw new Error(`${module} exports no function open`);
  const returned = (await exported.open(target)) as Partial<LoadClient> | undefined;
  const opened = typeof returned?.write === 'function' ? returned : exported;
  for (const name of ['write', 'read', 'close'] as const) {
    if (typeof opened[name] === 'function') continue;
    throw new Error(`${module}: expected a function ${name}, exported or in what open returns`);
  }
  return opened as LoadClient;
}

/** What has ended since the last time, and what is due and has not. Returns the time up to which all is told. */
function tellProgress(operations: readonly Operation[], since: number): number {
  const now = sharedNow();
  const onServer: Record<number, number> = {};
  let [errors, waiting, overdue, latest] = [0, 0, 0, since];
  for (const { endedAt, intendedAt, server, error } of operations) {
    if (endedAt === null) {
      waiting++;
      if (intendedAt < now - PROGRESS_MILLIS) overdue++;
    } else if (endedAt > since) {
      latest = Math.max(latest, endedAt);
      if (error !== null) errors++;
      else if (server !== null) onServer[server] = (onServer[server] ?? 0) + 1;
    }
  }
  tell({ at: now, onServer, errors, waiting, overdue } satisfies Progress);
  return latest;
}

// A stock pool that hangs never closes; the process ends all the same.
serve<ClientMethods>(methods, async () => {});
