import { fileURLToPath } from 'node:url';
import { messageOf } from '../../errors.js';
import type { DatabaseKind } from '../failover/client.js';
import { type Fault, specOf } from '../failover/fault.js';
import { Child } from '../failover/rpc.js';
import { Arena, OpenError } from '../failover/trial.js';
import type { BareMethods } from './bare.js';
import type { Client, Skipped } from './clients.js';
import { drawMedian, measure, type Measured } from './measure.js';
import { shuffle } from './statistics.js';

export interface Matrix {
  readonly faults: readonly Fault[];
  readonly clients: readonly Client[];
  readonly rates: readonly number[];
  readonly runs: number;
  /** So many failovers at a time, each with servers of its own. */
  readonly parallel: number;
  /** How long a client is watched that does not recover; null: what each fault needs. */
  readonly watchMillis: number | null;
}

/** All runs of one client through one fault. */
export interface Row {
  /** The fault, with the rate where there are several. */
  readonly title: string;
  readonly fault: Fault;
  readonly rate: number;
  readonly client: string;
  readonly kind: DatabaseKind;
  /** The bare limit of the same runs. */
  readonly bareMillis: readonly number[];
  readonly runs: readonly Measured[];
}

export interface Measurement {
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
  /** Server → version. */
  readonly versions: Readonly<Record<string, string>>;
}

interface Job {
  readonly fault: Fault;
  readonly rate: number;
  readonly run: number;
}

/**
 * The load runs this long before the change, plus a random part of a second more: a watch asks the name once a second, and
 * when in that second it moves must be chance.
 */
export const BEFORE_MILLIS: number = 500;
const PHASE_MILLIS = 1_000;
export const GRACE_MILLIS: number = 500;
export const SETTLE_MILLIS: number = 1_000;
/** Each move gives a host a further address, and a network namespace has only so many. */
const FAILOVERS_PER_LAB = 100;
const ATTEMPTS_TO_OPEN = 2;

const SERVER_NAMES: Readonly<Record<DatabaseKind, string>> = {
  'embedded-postgres': 'PostgreSQL',
  mariadb: 'MariaDB or MySQL',
};

const KINDS = Object.keys(SERVER_NAMES) as DatabaseKind[];

/** Runs every cell of a matrix. {@link stop} ends it at any time. */
export class MatrixRun {
  readonly #matrix: Matrix;
  readonly #say: (line: string) => void;
  readonly #open: Set<{ close(): Promise<void> }> = new Set();
  readonly #bare: Map<string, number[]> = new Map();
  readonly #runs: Map<string, Measured[]> = new Map();
  readonly #skipped: Map<string, string> = new Map();
  readonly #versions: Record<string, string> = {};
  #stopped = false;

  constructor(matrix: Matrix, say: (line: string) => void) {
    this.#matrix = matrix;
    this.#say = say;
  }

  async measure(): Promise<Measurement> {
    // One kind after the other: in a network namespace there is room for one lab.
    for (const kind of KINDS) {
      const clients = this.#matrix.clients.filter((client) => client.kind === kind);
      if (clients.length > 0) await this.#measureKind(kind, clients);
    }
    const skipped = [...this.#skipped].map(([client, reason]) => ({ client, reason }));
    return { rows: this.#rows(), skipped, versions: this.#versions };
  }

  /** Ends every process; what is being measured fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#open].map((one) => one.close()));
  }

  async #measureKind(kind: DatabaseKind, clients: readonly Client[]): Promise<void> {
    const { runs, faults, rates, parallel } = this.#matrix;
    const jobs = Array.from({ length: runs }, (_, run) =>
      rates.flatMap((rate) => faults.map((fault): Job => ({ fault, rate, run }))),
    ).flat();
    const total = jobs.length;
    const work = async (lane: Lane): Promise<void> => {
      for (let job = jobs.shift(); job !== undefined && !this.#stopped; job = jobs.shift()) {
        this.#say(`${SERVER_NAMES[kind]}, ${total - jobs.length} of ${total}: ${job.fault}, run ${job.run + 1}`);
        if (lane.arena.failovers >= FAILOVERS_PER_LAB) await lane.renew();
        await this.#perform(lane, job, clients);
      }
    };
    const lanes = await this.#lanes(kind, Math.min(parallel, total), clients);
    const working = lanes.map(work);
    try {
      await Promise.all(working);
    } catch (error) {
      await this.stop();
      await Promise.allSettled(working);
      throw error;
    } finally {
      for (const lane of lanes) {
        await lane.close();
        this.#open.delete(lane);
      }
    }
  }

  /** All of them before any measures; none where this machine has no such server. */
  async #lanes(kind: DatabaseKind, count: number, clients: readonly Client[]): Promise<Lane[]> {
    const lanes: Lane[] = [];
    try {
      while (lanes.length < count) lanes.push(await this.#lane(kind));
    } catch (error) {
      if (this.#stopped || lanes.length > 0) throw error;
      for (const { label } of clients) this.#skip(label, messageOf(error));
    }
    return lanes;
  }

  async #lane(kind: DatabaseKind): Promise<Lane> {
    const lane = await Lane.open(kind);
    this.#open.add(lane);
    if (this.#stopped) await lane.close();
    this.#versions[SERVER_NAMES[kind]] = lane.arena.version;
    return lane;
  }

  /** The bare limit, and each client for itself, in a random order. */
  async #perform(lane: Lane, job: Job, clients: readonly Client[]): Promise<void> {
    const { fault, rate, run } = job;
    list(this.#bare, key(fault, rate, lane.kind))[run] = await lane.bareLimit(fault);
    for (const client of shuffle([...clients])) {
      if (this.#skipped.has(client.label)) continue;
      const measured = await this.#runOf(lane, job, client);
      if (measured !== null) list(this.#runs, key(fault, rate, client.label))[run] = measured;
    }
  }

  /** Null for a client that does not even connect to a healthy server; it is not tried again. */
  async #runOf({ arena }: Lane, { fault, rate }: Job, client: Client): Promise<Measured | null> {
    const { stableMillis, watchMillis } = specOf(fault);
    for (let attempt = 1; ; attempt++) {
      try {
        const { courses, ...result } = await arena.run(fault, [client], {
          ratePerSecond: rate,
          beforeMillis: BEFORE_MILLIS + stableMillis + Math.random() * PHASE_MILLIS,
          afterMillis: this.#matrix.watchMillis ?? watchMillis,
          settleMillis: SETTLE_MILLIS,
          graceMillis: GRACE_MILLIS,
        });
        return measure(result, courses[0]!);
      } catch (error) {
        if (!(error instanceof OpenError)) throw error;
        if (attempt < ATTEMPTS_TO_OPEN) continue;
        this.#skip(client.label, `it does not connect: ${messageOf(error)}`);
        return null;
      }
    }
  }

  #skip(label: string, reason: string): void {
    this.#skipped.set(label, reason);
    this.#say(`${label} is skipped: ${reason}`);
  }

  #rows(): Row[] {
    const { faults, rates, clients } = this.#matrix;
    const measured = KINDS.flatMap((kind) =>
      clients.filter((client) => client.kind === kind && !this.#skipped.has(client.label)),
    );
    return rates.flatMap((rate) =>
      faults.flatMap((fault) =>
        measured.map(({ label, kind }): Row => {
          const title = rates.length === 1 ? fault : `${fault}@${rate}`;
          const bareMillis = list(this.#bare, key(fault, rate, kind));
          const runs = drawMedian(list(this.#runs, key(fault, rate, label)));
          return { title, fault, rate, client: label, kind, bareMillis, runs };
        }),
      ),
    );
  }
}

/** One failover at a time, on servers of its own. */
class Lane {
  readonly kind: DatabaseKind;
  readonly #script: Child<BareMethods> = new Child(fileURLToPath(new URL('bare.js', import.meta.url)));
  #arena: Arena;

  private constructor(kind: DatabaseKind, arena: Arena) {
    this.kind = kind;
    this.#arena = arena;
  }

  static async open(kind: DatabaseKind): Promise<Lane> {
    return new Lane(kind, await Arena.open(kind));
  }

  get arena(): Arena {
    return this.#arena;
  }

  async renew(): Promise<void> {
    await this.#arena.close();
    this.#arena = await Arena.open(this.kind);
  }

  async bareLimit(fault: Fault): Promise<number> {
    const { target } = this.#arena;
    await this.#arena.heal();
    await this.#script.call('warm', target);
    const { newServer } = await this.#arena.inflict(fault, true);
    return await this.#script.call('go', { target, server: newServer });
  }

  async close(): Promise<void> {
    await Promise.all([this.#script.end(), this.#arena.close()]);
  }
}

function key(...parts: readonly (string | number)[]): string {
  return parts.join(' ');
}

function list<T>(map: Map<string, T[]>, name: string): T[] {
  const found = map.get(name) ?? [];
  map.set(name, found);
  return found;
}
