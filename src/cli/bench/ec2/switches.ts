import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ClientMethods, Stopped } from '../../failover/client-process.js';
import type { LedgerVerdict } from '../../failover/ledger.js';
import type { Operation } from '../../failover/operation.js';
import { Child, sharedNow } from '../../failover/rpc.js';
import type { Contender } from '../../failover/trial.js';
import { partsOf } from '../../login.js';
import { within } from '../../within.js';
import { type Measured, measure } from '../measure.js';
import type { BorrowedAddress, Switched } from './borrowed-address.js';
import { type Followed, followBare } from './dns-watch.js';
import type { Ground, Side } from './ground.js';
import type { Plan } from './options.js';
import type { BenchTable } from './table.js';
import { type Ec2Target, MYSQL_IDENTITY, POSTGRES_IDENTITY, statements } from './target.js';

/** One switch. Times are milliseconds since EC2 accepted it. */
export interface SwitchRecord {
  readonly from: string;
  readonly to: string;
  /** How long EC2 took to accept the call. */
  readonly callMillis: number;
  readonly dnsMillis: number;
  readonly bareMillis: number;
  /** How each client came through it, in their order. */
  readonly runs: readonly Measured[];
}

export interface Bench {
  readonly plan: Plan;
  readonly ground: Ground;
  readonly address: BorrowedAddress;
  readonly table: BenchTable | null;
  /** Aborted when it has to end; then nothing more is switched. */
  readonly signal: AbortSignal;
}

export const BEFORE_MILLIS: number = 2_000;
export const GRACE_MILLIS: number = 2_000;
/** A client's process that takes longer than this to open or to stop never does. */
const PATIENCE_MILLIS = 30_000;
const CLOSE_MILLIS = 1_000;

/** Switches back and forth; a fresh process of each client for each switch, all of them at the same time. */
export async function* switchBackAndForth(bench: Bench): AsyncGenerator<SwitchRecord> {
  const [home, other] = bench.ground.sides;
  for (let run = 0; run < bench.plan.runs; run++) {
    const [from, to] = run % 2 === 0 ? [home, other] : [other, home];
    yield await oneSwitch(bench, from, to, run);
  }
}

async function oneSwitch(bench: Bench, from: Side, to: Side, run: number): Promise<SwitchRecord> {
  const { plan, signal } = bench;
  const clients = plan.contenders.map(() => new Child<ClientMethods>(clientProcess));
  const over = new AbortController();
  // A client that hangs must not hold up the restoration.
  const killAll = (): void => void Promise.all(clients.map((client) => client.kill()));
  signal.addEventListener('abort', killAll);
  try {
    await openAll(bench, clients, run);
    const startedAt = sharedNow();
    await setTimeout(BEFORE_MILLIS, undefined, { signal });
    const following = followBare(plan, to, AbortSignal.any([signal, over.signal]));
    following.catch(() => {});
    const switched = await bench.address.point(to, signal);
    await setTimeout(Math.max(0, switched.acceptedAt + plan.watchedMillis - sharedNow()), undefined, { signal });
    const endedAt = sharedNow();
    const stopped = await Promise.all(clients.map((client, i) => stop(client, plan.contenders[i]!.label)));
    const followed = await unlessAborted(following, signal);
    const observed = { from, to, run, startedAt, endedAt, switched, followed, stopped };
    return await unlessAborted(record(bench, observed), signal);
  } finally {
    over.abort();
    signal.removeEventListener('abort', killAll);
    await Promise.all(clients.map((client) => client.kill()));
  }
}

/** What asks a server may never be answered. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function openAll(
  { plan, ground, table }: Bench,
  clients: readonly Child<ClientMethods>[],
  run: number,
): Promise<void> {
  const target = targetOf(plan, ground, table);
  const { contenders, ratePerSecond } = plan;
  const open = (client: Child<ClientMethods>, { label, module }: Contender): Promise<void> =>
    within(PATIENCE_MILLIS, label, client.call('open', { module, target }));
  await Promise.all(clients.map((client, i) => open(client, contenders[i]!)));
  await Promise.all(clients.map((client, i) => client.call('start', { ratePerSecond, prefix: rowsOf(run, i) })));
}

async function stop(client: Child<ClientMethods>, label: string): Promise<Stopped> {
  const stopped = await within(PATIENCE_MILLIS, label, client.call('stop', { graceMillis: GRACE_MILLIS }));
  // Its connections say goodbye, where they can.
  await within(PATIENCE_MILLIS, label, client.call('close', { withinMillis: CLOSE_MILLIS }));
  return stopped;
}

interface Observed {
  readonly from: Side;
  readonly to: Side;
  readonly run: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly switched: Switched;
  readonly followed: Followed;
  readonly stopped: readonly Stopped[];
}

async function record({ ground, table }: Bench, observed: Observed): Promise<SwitchRecord> {
  const { from, to, run, startedAt, endedAt, switched, followed, stopped } = observed;
  const number = (side: Side): number => ground.sides.indexOf(side) + 1;
  const { acceptedAt: at, sentAt: begunAt } = switched;
  const change = { at, begunAt, oldServer: number(from), newServer: number(to) };
  const runs: Measured[] = [];
  for (const [i, { operations, crashes }] of stopped.entries()) {
    const own = table === null ? operations.map(asRead) : operations;
    const verdict = table === null ? NOTHING_WRITTEN : await table.judge(own, rowsOf(run, i));
    runs.push(measure({ change, startedAt, endedAt }, { operations: own, crashes, ...verdict }));
  }
  return {
    from: from.instanceId,
    to: to.instanceId,
    callMillis: at - begunAt,
    dnsMillis: followed.namedAt - at,
    bareMillis: followed.answeredAt - at,
    runs,
  };
}

const NOTHING_WRITTEN: LedgerVerdict = { lostWrites: 0, doubledWrites: 0 };

/** Without a table a client's writes are reads. */
function asRead(operation: Operation): Operation {
  return { ...operation, kind: 'read', id: null };
}

function targetOf({ url, dnsServers }: Plan, { sides }: Ground, table: BenchTable | null): Ec2Target {
  const expression = url.protocol === 'mysql:' ? MYSQL_IDENTITY : POSTGRES_IDENTITY;
  const { host, ...place } = partsOf(url);
  return {
    kind: url.protocol === 'mysql:' ? 'mariadb' : 'embedded-postgres',
    name: host,
    ...place,
    dnsServers,
    url: url.href,
    sql: statements(expression, [sides[0].identity, sides[1].identity], table?.name ?? null),
  };
}

/** What the ids of a client's rows begin with. */
function rowsOf(run: number, client: number): string {
  return `run${run}-client${client}-`;
}

const clientProcess: string = fileURLToPath(new URL('../../failover/client-process.js', import.meta.url));
