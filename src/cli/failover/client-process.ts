import type { LoadClient, OpenClient, Target } from './client.js';
import { POOL_SIZE } from './client.js';
import { Load } from './load.js';
import type { Operation } from './operation.js';
import { serve, sharedNow, tell } from './rpc.js';

/** A client and its load, in a process of their own. Run by {@link import('./trial.js')}. */
export interface ClientMethods {
  /** Opens the client of a module, as many connections as it may have. */
  open(argument: { readonly module: string; readonly target: Target }): Promise<void>;
  start(argument: { readonly ratePerSecond: number; readonly label: string }): Promise<void>;
  /** Begins nothing more, and waits this long for what is under way. */
  stop(argument: { readonly graceMillis: number }): Promise<readonly Operation[]>;
}

/** Told ten times a second while the load runs: what ended since the last time, and what is under way. */
export interface Progress {
  readonly at: number;
  readonly onServer: Readonly<Record<number, number>>;
  readonly errors: number;
  readonly waiting: number;
}

const PROGRESS_MILLIS = 100;
const POLL_MILLIS = 10;

let client: LoadClient | undefined;
let load: Load | undefined;
let progress: NodeJS.Timeout | undefined;

const methods: ClientMethods = {
  async open({ module, target }) {
    const { open } = (await import(module)) as { readonly open: OpenClient };
    const opened = await open(target);
    await Promise.all(Array.from({ length: POOL_SIZE }, () => opened.read()));
    client = opened;
  },

  async start({ ratePerSecond, label }) {
    if (client === undefined) throw new Error('open comes before start');
    load = new Load(client, ratePerSecond, label);
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
    return operations;
  },
};

/** What has ended since the last time, and what is due and has not. Returns the time up to which all is told. */
function tellProgress(operations: readonly Operation[], since: number): number {
  const onServer: Record<number, number> = {};
  let [errors, waiting, latest] = [0, 0, since];
  for (const { endedAt, server } of operations) {
    if (endedAt === null) waiting++;
    else if (endedAt > since) {
      latest = Math.max(latest, endedAt);
      if (server === null) errors++;
      else onServer[server] = (onServer[server] ?? 0) + 1;
    }
  }
  tell({ at: sharedNow(), onServer, errors, waiting } satisfies Progress);
  return latest;
}

// A stock pool that hangs never closes; the process ends all the same.
serve<ClientMethods>(methods, async () => {});
