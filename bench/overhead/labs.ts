import { fileURLToPath } from 'node:url';
import type { DatabaseKind } from '../../src/cli/failover/client.js';
import { Child } from '../../src/cli/failover/rpc.js';
import type { LabMethods, Server } from './lab-process.js';

interface Started {
  readonly server: Server;
  readonly process: Child<LabMethods>;
}

/** Each kind of server is started when it is first needed. */
export class Labs {
  readonly #pinned: boolean;
  readonly #started: Map<DatabaseKind, Started> = new Map();

  constructor(pinned: boolean) {
    this.#pinned = pinned;
  }

  async get(databases: DatabaseKind): Promise<Started> {
    const found = this.#started.get(databases);
    if (found !== undefined) return found;
    const child = new Child<LabMethods>(fileURLToPath(new URL('lab-process.js', import.meta.url)));
    try {
      const started = { server: await child.call('start', { databases, pinned: this.#pinned }), process: child };
      this.#started.set(databases, started);
      return started;
    } catch (error) {
      await child.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.#started.values()].map(({ process }) => process.end()));
  }
}
