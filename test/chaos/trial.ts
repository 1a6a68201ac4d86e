import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../../src/cli/failover/rpc.js';
import { messageOf } from '../../src/errors.js';
import { type Lab, type LabHost, startLab } from '../../src/lab/index.js';
import { LOGIN } from '../proxies/pgbouncer.js';
import { CERTIFICATE } from './certificates.js';
import { type Cluster, IndependentServers } from './cluster.js';
import { mariadb, postgres } from './dialect.js';
import { carryOut, heal } from './faults.js';
import type { Adopted, Freeze, History, Operation, Span } from './history.js';
import type { Incident } from './incident.js';
import type { LoadMethods, Opened } from './load-process.js';
import type { Local } from './local.js';
import { begin, end, endsBeforeMove, type LocalScene, refuses } from './local-faults.js';
import { PooledServers, startPooled } from './pooled.js';
import { Replication, REPLICATION_SETTINGS } from './replication.js';
import { type Failover, type Fault, type LocalTrouble, type Naming, schedule } from './schedule.js';
import { FOLLOW, type Target } from './work.js';

export type Mode = 'independent' | 'replicated' | 'pooled';
export type Driver = 'pg' | 'mysql2' | 'generic-pool';

export interface TrialOptions {
  readonly mode: Mode;
  readonly driver: Driver;
  readonly failovers: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly locals: readonly Local[];
  readonly incidents: readonly Incident[];
  /** The connections are encrypted, and the server's certificate is checked. */
  readonly tls: boolean;
  readonly ratePerSecond: number;
  /** How long a caller waits for a connection while there is no server. */
  readonly deadlineMillis: number;
  /** After so long no further failover begins. */
  readonly lastsMillis: number;
  /** The folder of the build under test. */
  readonly library: string;
  readonly onFailover: (failover: Failover) => void;
  /** It ends before its time. */
  readonly onTrouble: (text: string) => void;
}

export interface Trial {
  readonly options: TrialOptions;
  readonly failovers: readonly Failover[];
  readonly history: History;
  /** Beyond single operations: crashes, leftovers, failovers that the pool did not follow. */
  readonly troubles: readonly string[];
  readonly tookMillis: number;
}

/** It takes connections, and says nothing. */
async function listen(host: string): Promise<Server> {
  const server = createServer((socket: Socket) => void socket.on('error', () => {}));
  server.listen(0, host);
  await once(server, 'listening');
  return server;
}

const SESSIONS_GONE_MILLIS = 5_000;
const POLL_MILLIS = 20;
/** Until then a statement has a connection, if there is one, and the server has the statement. */
const BEGUN_MILLIS = 150;
/** By then a connection that was lost has been found out. */
const LOST_MILLIS = 4_000;
const DOWN_MILLIS = 500;
/** Longer than it takes to adopt an answer. */
const ADOPTED_MILLIS = 2 * FOLLOW.intervalMillis;
/** Long after the name has moved. */
const FROZEN_MILLIS = 3_000;
/** Resolvers that disagree may name the old server; and an address that was left a moment ago is in quarantine. */
const MAY_STAY: ReadonlySet<Naming> = new Set(['flicker', 'return']);

/** As many failovers as asked for, one after the other, under load. */
export async function run(options: TrialOptions): Promise<Trial> {
  const began = performance.now();
  const { mode } = options;
  const { lab, cluster, close } = await startServers(options);
  const child = new Child<LoadMethods>(fileURLToPath(new URL('load-process.js', import.meta.url)));
  try {
    await cluster.prepare();
    const course = new Course(options, lab, cluster, child);
    await course.run();
    return { options, ...(await course.result()), tookMillis: performance.now() - began };
  } catch (error) {
    throw new Error(`${mode} servers, seed ${options.seed}: nothing can be said of them: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await child.end();
    await close();
  }
}

interface Started {
  readonly lab: Lab;
  readonly cluster: Cluster;
  close(): Promise<void>;
}

async function startServers({ driver, mode, tls }: TrialOptions): Promise<Started> {
  if (mode === 'pooled') {
    const { lab, close } = await startPooled();
    return { lab, cluster: new PooledServers(lab), close };
  }
  const dialect = driver === 'mysql2' ? mariadb : postgres;
  const ssl = tls ? { ssl: CERTIFICATE } : {};
  const lab = await startLab({
    databases: dialect.databases,
    postgres: { ...ssl, ...(mode === 'replicated' ? { settings: REPLICATION_SETTINGS } : {}) },
    // What was committed survives the process, as in any server that is not a test's.
    mariadb: { ...ssl, settings: { 'innodb-flush-log-at-trx-commit': '2' } },
  });
  const cluster = mode === 'replicated' ? new Replication(lab, dialect) : new IndependentServers(lab, dialect);
  return { lab, cluster, close: () => lab.close() };
}

class Course {
  readonly #options: TrialOptions;
  readonly #lab: Lab;
  readonly #cluster: Cluster;
  readonly #child: Child<LoadMethods>;
  readonly #done: Failover[] = [];
  readonly #operations: Operation[] = [];
  readonly #troubles: string[] = [];
  readonly #adopted: Adopted[] = [];
  readonly #calms: Span[] = [];
  readonly #refusals: Span[] = [];
  readonly #freezes: Freeze[] = [];
  #load: Opened = { pid: 0, files: 0, timeOrigin: 0 };

  constructor(options: TrialOptions, lab: Lab, cluster: Cluster, child: Child<LoadMethods>) {
    this.#options = options;
    this.#lab = lab;
    this.#cluster = cluster;
    this.#child = child;
  }

  /** Nothing that the library does ends it early. */
  async run(): Promise<void> {
    const { driver, failovers, seed, faults, locals, incidents, ratePerSecond, lastsMillis } = this.#options;
    const { onFailover, onTrouble } = this.#options;
    const until = performance.now() + lastsMillis;
    try {
      this.#load = await this.#child.call('open', { driver, target: this.#target });
      await this.#child.call('start', { ratePerSecond });
      for (const failover of schedule(seed, faults, locals, incidents)) {
        onFailover(failover);
        await this.#failOver(failover);
        this.#done.push(failover);
        if (this.#done.length === failovers || performance.now() > until) break;
      }
    } catch (error) {
      const trouble = `it did not come to its end: ${messageOf(error)}`;
      this.#troubles.push(trouble);
      onTrouble(trouble);
    }
    const { operations, adopted, crashes, left } = await this.#child.call('end');
    this.#operations.push(...operations);
    this.#adopted.push(...adopted);
    this.#troubles.push(...crashes, ...left.map((one) => `left after the pool's end: ${one}`));
  }

  async result(): Promise<Pick<Trial, 'failovers' | 'history' | 'troubles'>> {
    await this.#awaitSessions();
    const { hosts } = this.#lab;
    const history: History = {
      operations: this.#operations,
      adopted: this.#adopted,
      calms: this.#calms,
      refusals: this.#refusals,
      freezes: this.#freezes,
      rows: await this.#cluster.rows(),
      owners: Object.fromEntries(hosts.flatMap((host) => host.addresses.map((one) => [one, host.database.port]))),
      replicated: this.#cluster.replicated,
    };
    return { failovers: this.#done, history, troubles: this.#troubles };
  }

  async #failOver(failover: Failover): Promise<void> {
    const [lab, cluster, child] = [this.#lab, this.#cluster, this.#child];
    const { trouble } = failover;
    const scene = { child, cluster, load: this.#load };
    const calmFrom = this.#childNow;
    await setTimeout(failover.pauseMillis);
    if (trouble !== null) await this.#calmly(failover, trouble, scene);
    const old = lab.current;
    const next = lab.hosts.find((host) => host !== old)!;
    await using _second = failover.incident === 'second port' ? await this.#silentBeside(old) : null;
    this.#calms.push({ from: calmFrom, to: this.#childNow });
    await this.#befall(failover, old, next);
    if (failover.crowd > 0) await child.call('crowd', { callers: failover.crowd, long: 0 });
    const work = (): Promise<void> => carryOut(failover, { lab, cluster, old, next });
    const freeze = failover.incident === 'frozen' ? await this.#frozenDuring(work) : await work();
    // Until its standby is back, a primary acknowledges nothing, and writes may hold every connection.
    const [reached] = await Promise.all([
      child.call('reached', { server: next.database.port }),
      cluster.replicated ? cluster.rejoin(old) : undefined,
    ]);
    if (!reached) this.#missed(failover, next);
    this.#operations.push(...(await child.call('settled')));
    if (freeze !== undefined && !MAY_STAY.has(failover.naming))
      this.#freezes.push({ ...freeze, left: old.database.port, until: this.#childNow });
    await heal(failover, { lab, cluster, old, next });
    if (trouble !== null && !endsBeforeMove(trouble.local)) await end(trouble.local, scene);
    if (trouble !== null && refuses(trouble.local)) this.#refusals.push({ from: calmFrom, to: this.#childNow });
    // What the fault or its end still cuts off has begun by now.
    await child.call('settled').then((settled) => this.#operations.push(...settled));
  }

  /** The application has a fault of its own; the servers are well. */
  async #calmly({ long }: Failover, { local, calmMillis }: LocalTrouble, scene: LocalScene): Promise<void> {
    const child = this.#child;
    if (long > 0) {
      await child.call('crowd', { callers: 0, long });
      await setTimeout(BEGUN_MILLIS);
      // Only where nothing else is heard of the server is it asked whether it lives.
      await child.call('stop');
    }
    await begin(local, scene);
    await setTimeout(calmMillis);
    if (long > 0) await child.call('start', { ratePerSecond: this.#options.ratePerSecond });
    if (endsBeforeMove(local)) await end(local, scene);
  }

  /** Where the name is now, before anything else happens. */
  async #befall(failover: Failover, old: LabHost, next: LabHost): Promise<void> {
    const { database } = old;
    switch (failover.incident) {
      case 'flows lost': {
        const from = this.#childNow;
        await old.loseFlows();
        await setTimeout(LOST_MILLIS);
        this.#refusals.push({ from, to: this.#childNow });
        return;
      }
      case 'restart':
        await database.kill();
        await setTimeout(DOWN_MILLIS);
        await database.restart();
        if (!(await this.#child.call('reached', { server: database.port }))) this.#missed(failover, old);
        return;
      case 'two addresses':
        this.#lab.dns.setAnswer({ a: [old.address, next.address] });
        await setTimeout(ADOPTED_MILLIS);
        return;
      case 'second port':
      case 'frozen':
      case null:
    }
  }

  /** Another service there, which is silent for long enough to be found so. */
  async #silentBeside({ address }: LabHost): Promise<AsyncDisposable> {
    const child = this.#child;
    const server = await listen(address);
    const { port } = server.address() as AddressInfo;
    await child.call('beside', { port });
    await setTimeout(LOST_MILLIS);
    return {
      [Symbol.asyncDispose]: async () => {
        await child.call('beside', { port: null });
        server.close();
      },
    };
  }

  /** The process of the load is stopped from before the work until some time after it. */
  async #frozenDuring(work: () => Promise<void>): Promise<Span> {
    const { pid } = this.#load;
    const from = this.#childNow;
    process.kill(pid, 'SIGSTOP');
    try {
      await work();
      await setTimeout(FROZEN_MILLIS);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    return { from, to: this.#childNow };
  }

  /** This moment on the clock of the load's process. */
  get #childNow(): number {
    return performance.timeOrigin + performance.now() - this.#load.timeOrigin;
  }

  #missed({ number, fault, naming, trouble, incident }: Failover, host: LabHost): void {
    const what = [fault, naming, trouble?.local ?? 'nothing local', incident ?? 'no incident'].join(', ');
    this.#troubles.push(`failover ${number} (${what}): no work was done on ${host.id}`);
  }

  get #target(): Target {
    const { name, port, servers } = this.#lab;
    const { library, deadlineMillis, tls } = this.#options;
    return { library, deadlineMillis, name, port, dnsServers: servers, ...LOGIN, ca: tls ? CERTIFICATE.cert : null };
  }

  async #awaitSessions(): Promise<void> {
    const until = performance.now() + SESSIONS_GONE_MILLIS;
    let left = await this.#cluster.sessions();
    while (left > 0 && performance.now() < until) {
      await setTimeout(POLL_MILLIS);
      left = await this.#cluster.sessions();
    }
    if (left > 0) this.#troubles.push(`${left} sessions of the application were left on the servers`);
  }
}
