import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debuglog } from 'node:util';
import { atExit } from './cleanup.js';
import type { Database, DatabaseContext, DatabaseFactory } from './database.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { MariaDb } from './mariadb.js';
import { findMariaDb } from './mariadb-binaries.js';
import type { LabSettings } from './options.js';
import { findPostgres } from './postgres-binaries.js';
import { Watchdog } from './process-tree.js';

const debug = debuglog('eip-pool-lab');

/** The lab's database servers with all that they leave on the machine: processes and one folder. */
export class Servers {
  readonly folder: string;
  readonly #watchdog: Watchdog;
  readonly #forget: () => void;
  readonly #databases: Database[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.#watchdog = new Watchdog(folder);
    this.#forget = atExit(() => this.closeSync());
  }

  /** All at the same time; if one fails nothing is left behind. */
  static async start(settings: LabSettings): Promise<Servers> {
    const folder = await mkdtemp(join(tmpdir(), 'eip-pool-lab-'));
    const servers = new Servers(folder);
    try {
      await chmod(folder, 0o711); // the server's user must get through to its own folder
      const make = await servers.#factory(settings);
      const started = Array.from({ length: settings.hosts }, async (_, index) => {
        const database = await make(servers.#context(index, settings));
        servers.#databases[index] = database;
      });
      const results = await Promise.allSettled(started);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return servers;
    } catch (error) {
      await servers.close();
      throw error;
    }
  }

  get databases(): readonly Database[] {
    return this.#databases;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#databases.filter(Boolean).map((database) => database.close()));
    this.#watchdog.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    this.#forget();
  }

  closeSync(): void {
    for (const database of this.#databases.filter(Boolean)) database.closeSync?.();
    this.#watchdog.killSync();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    this.#forget();
  }

  async #factory({ databases, postgres, mariadb }: LabSettings): Promise<DatabaseFactory> {
    if (typeof databases === 'function') return databases;
    if (databases === 'mariadb') {
      const installation = await findMariaDb(this.folder);
      return (context) => MariaDb.start(installation, mariadb, context, this.#watchdog);
    }
    const installation = await findPostgres(postgres.binaries, join(this.folder, 'native'));
    return (context) => EmbeddedPostgres.start(installation, postgres, context, this.#watchdog);
  }

  #context(index: number, { log }: LabSettings): DatabaseContext {
    const write = log ?? ((line: string) => debug(line));
    return {
      index,
      folder: join(this.folder, `host-${index}`),
      log: (line) => write(`host-${index}: ${line}`),
    };
  }
}
