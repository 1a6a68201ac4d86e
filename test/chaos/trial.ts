import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../../src/cli/failover/rpc.js';
import { messageOf } from '../../src/errors.js';
import { type Lab, type LabHost, startLab } from '../../src/lab/index.js';
import { type Cluster, IndependentServers } from './cluster.js';
import { mariadb, postgres } from './dialect.js';
import { carryOut, heal } from './faults.js';
import type { Adopted, History, Operation } from './history.js';
import type { LoadMethods } from './load-process.js';
import { Replication, REPLICATION_SETTINGS } from './replication.js';
import { type Failover, type Fault, schedule } from './schedule.js';
import { LIMIT_MILLIS, type Target } from './work.js';

export type Mode = 'independent' | 'replicated';
export type Driver = 'pg' | 'mysql2';

export interface TrialOptions {
  readonly mode: Mode;
  readonly driver: Driver;
  readonly failovers: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly ratePerSecond: number;
  /** The folder of the build under test. */
  readonly library: string;
  readonly onFailover: (failover: Failover) => void;
}

export interface Trial {
  readonly options: TrialOptions;
  readonly failovers: readonly Failover[];
  readonly history: History;
  /** Beyond single operations: crashes, leftovers, failovers that the pool did not follow. */
  readonly troubles: readonly string[];
  readonly tookMillis: number;
}

const SESSIONS_GONE_MILLIS = 5_000;
const POLL_MILLIS = 20;

/** As many failovers as asked for, one after the other, under load. */
export async function run(options: TrialOptions): Promise<Trial> {
  const began = performance.now();
  const { driver, mode } = options;
  const dialect = driver === 'pg' ? postgres : mariadb;
  const replicated = mode === 'replicated';
  const lab = await startLab({
    databases: dialect.databases,
    ...(replicated ? { postgres: { settings: REPLICATION_SETTINGS } } : {}),
    // What was committed survives the process, as in any server that is not a test's.
    mariadb: { settings: { 'innodb-flush-log-at-trx-commit': '2' } },
  });
  const child = new Child<LoadMethods>(fileURLToPath(new URL('load-process.js', import.meta.url)));
  try {
    const cluster = replicated ? new Replication(lab, dialect) : new IndependentServers(lab, dialect);
    await cluster.prepare();
    const course = new Course(options, lab, cluster, child);
    await course.run();
    return { options, ...(await course.result()), tookMillis: performance.now() - began };
  } finally {
    await child.end();
    await lab.close();
  }
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

  constructor(options: TrialOptions, lab: Lab, cluster: Cluster, child: Child<LoadMethods>) {
    this.#options = options;
    this.#lab = lab;
    this.#cluster = cluster;
    this.#child = child;
  }

  /** Nothing that the library does ends it early. */
  async run(): Promise<void> {
    const { driver, failovers, seed, faults, ratePerSecond, onFailover } = this.#options;
    try {
      await this.#child.call('open', { driver, target: this.#target });
      await this.#child.call('start', { ratePerSecond });
      for (const failover of schedule(seed, faults)) {
        onFailover(failover);
        await this.#failOver(failover);
        this.#done.push(failover);
        if (this.#done.length === failovers) break;
      }
    } catch (error) {
      this.#troubles.push(`it did not come to its end: ${messageOf(error)}`);
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
      rows: await this.#cluster.rows(),
      owners: Object.fromEntries(hosts.flatMap((host) => host.addresses.map((one) => [one, host.database.port]))),
      replicated: this.#cluster.replicated,
      limitMillis: LIMIT_MILLIS,
    };
    return { failovers: this.#done, history, troubles: this.#troubles };
  }

  async #failOver(failover: Failover): Promise<void> {
    const [lab, cluster, child] = [this.#lab, this.#cluster, this.#child];
    await setTimeout(failover.pauseMillis);
    const old = lab.current;
    const next = lab.hosts.find((host) => host !== old)!;
    await carryOut(failover, { lab, cluster, old, next });
    // Until its standby is back, a primary acknowledges nothing, and writes may hold every connection.
    const [reached] = await Promise.all([
      child.call('reached', { server: next.database.port }),
      cluster.replicated ? cluster.rejoin(old) : undefined,
    ]);
    if (!reached) this.#missed(failover, next);
    this.#operations.push(...(await child.call('settled')));
    await heal(failover, { lab, cluster, old, next });
  }

  #missed({ number, fault, naming }: Failover, next: LabHost): void {
    this.#troubles.push(
      `failover ${number} (${fault}, ${naming}): no work was done on ${next.id} for ${LIMIT_MILLIS} ms`,
    );
  }

  get #target(): Target {
    const { name, port, servers, connection } = this.#lab;
    return { library: this.#options.library, name, port, dnsServers: servers, ...connection! };
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
