import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../../src/errors.js';
import type { Lab, LabHost } from '../../src/lab/index.js';
import { type Certificate, CERTIFICATE, ROTATED } from './certificates.js';
import { type Dialect, ROWS, type ServerFault } from './dialect.js';
import type { Row } from './history.js';

const ROOM_ATTEMPTS = 1_200;
const ROOM_MILLIS = 50;

/** Two servers, and who of them takes writes. */
export interface Cluster {
  readonly replicated: boolean;
  /** Both have the ledger, the first one takes writes. */
  prepare(): Promise<void>;
  /** It takes no more writes, in place. */
  demote(host: LabHost): Promise<void>;
  /** The next one does not take writes yet. */
  hold(host: LabHost): Promise<void>;
  /** Before another one takes writes: what this one acknowledges from now on must not be lost. */
  fence(host: LabHost, isRunning: boolean): Promise<void>;
  promote(host: LabHost): Promise<void>;
  /** It was left, whatever befell it, and is to be the next one again; the other one takes writes. */
  rejoin(host: LabHost): Promise<void>;
  /** A fault of the application's own begins, or ends. All servers are well. */
  tell(fault: ServerFault, begins: boolean): Promise<void>;
  /** Resolves when the application has no session left on any server, or says how many are left. */
  sessions(): Promise<number>;
  rows(): Promise<Row[]>;
}

/** Each has rows of its own. */
export class IndependentServers implements Cluster {
  readonly replicated: boolean = false;
  readonly #lab: Lab;
  readonly #dialect: Dialect;

  constructor(lab: Lab, dialect: Dialect) {
    this.#lab = lab;
    this.#dialect = dialect;
  }

  async prepare(): Promise<void> {
    for (const host of this.#lab.hosts) await this.#tell(host, this.#dialect.ledger);
  }

  async demote(host: LabHost): Promise<void> {
    await this.#tell(host, this.#dialect.readOnly);
  }

  async hold(host: LabHost): Promise<void> {
    await this.demote(host);
  }

  fence(): Promise<void> {
    return Promise.resolve();
  }

  async promote(host: LabHost): Promise<void> {
    await this.#tell(host, this.#dialect.writable);
  }

  async rejoin(host: LabHost): Promise<void> {
    await this.#tell(host, this.#dialect.writable);
  }

  async tell(fault: ServerFault, begins: boolean): Promise<void> {
    if (fault === 'pooler full') throw new Error(`${fault}: there is no pooler`);
    for (const host of this.#lab.hosts) {
      if (fault === 'rotated certificate') await this.#rotate(host, begins ? ROTATED : CERTIFICATE);
      else await this.#tell(host, [this.#dialect.logins[fault][begins ? 0 : 1]]);
    }
  }

  async #rotate(host: LabHost, { cert, key }: Certificate): Promise<void> {
    const { paths, reload } = this.#dialect.certificate;
    const [own] = await host.database.query<{ crt: string; key: string }>(paths);
    await writeFile(own!.crt, cert);
    await writeFile(own!.key, key);
    await this.#tell(host, [reload]);
  }

  async sessions(): Promise<number> {
    const { hosts } = this.#lab;
    return await countSessions(hosts, async ({ database }) => {
      return await this.#untilThereIsRoom(() => database.query<{ count: number }>(this.#dialect.sessions));
    });
  }

  async rows(): Promise<Row[]> {
    return await readRows(this.#lab.hosts, async ({ database }) => {
      return await this.#untilThereIsRoom(() => database.query<Omit<Row, 'server'>>(ROWS));
    });
  }

  async #tell({ database }: LabHost, statements: readonly string[]): Promise<void> {
    for (const sql of statements) await this.#untilThereIsRoom(() => database.query(sql));
  }

  /** A server that is full keeps one place for its administrator, who may not have left it yet. */
  async #untilThereIsRoom<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (!messageOf(error).includes('Too many connections') || attempt === ROOM_ATTEMPTS) throw error;
        await setTimeout(ROOM_MILLIS);
      }
    }
  }
}

type Ask<Answer> = (host: LabHost) => Promise<Answer[]>;

export async function countSessions(hosts: readonly LabHost[], ask: Ask<{ count: number }>): Promise<number> {
  const answers = await Promise.all(hosts.map(ask));
  return answers.flat().reduce((sum, { count }) => sum + count, 0);
}

export async function readRows(hosts: readonly LabHost[], ask: Ask<Omit<Row, 'server'>>): Promise<Row[]> {
  const answers = await Promise.all(
    hosts.map(async (host) => (await ask(host)).map((row) => ({ ...row, server: host.database.port }))),
  );
  return answers.flat();
}
