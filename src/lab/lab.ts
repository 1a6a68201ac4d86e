import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, DatabaseFactory, LabConnection } from './database.js';
import { DnsServer } from './dns-server.js';
import { embeddedPostgres, POSTGRES_CONNECTION } from './embedded-postgres.js';
import { LabHost } from './host.js';
import { type AddressPlan, listen, LoopbackPlan } from './loopback.js';
import { type LabOptions, readLabOptions, type ReadLabOptions } from './options.js';

/** What a move changed. */
export interface LabMove {
  readonly from: string;
  readonly to: string;
  /** `performance.now()` when the DNS server began to give the new answer. */
  readonly at: number;
}

/** A name, its DNS server, and the hosts that it can point to. */
export class Lab {
  readonly name: string;
  readonly publicName: string;
  readonly publicAddress: string;
  readonly hosts: readonly LabHost[];
  /** The one port on which every host listens. */
  readonly port: number;
  readonly dns: DnsServer;
  /** How to log in to the databases; null where the lab does not know. */
  readonly connection: LabConnection | null;
  readonly #folder: string | null;
  readonly #databases: readonly Database[];
  #current: LabHost;
  #closed: Promise<void> | undefined;

  constructor(parts: {
    readonly options: ReadLabOptions;
    readonly hosts: readonly [LabHost, ...LabHost[]];
    readonly dns: DnsServer;
    readonly databases: readonly Database[];
    readonly folder: string | null;
  }) {
    const { options, hosts, dns, databases, folder } = parts;
    this.name = options.name;
    this.publicName = options.publicName;
    this.publicAddress = options.publicAddress;
    this.hosts = hosts;
    this.port = hosts[0].port;
    this.dns = dns;
    this.connection = options.databases === 'embedded-postgres' ? POSTGRES_CONNECTION : null;
    this.#databases = databases;
    this.#folder = folder;
    this.#current = hosts[0];
    this.#point();
  }

  /** The private view's DNS servers, as `follow.servers` takes them. */
  get servers(): readonly string[] {
    return this.dns.servers;
  }

  /** The public view's. */
  get publicServers(): readonly string[] {
    return this.dns.publicServers;
  }

  /** The host that the name points to. */
  get current(): LabHost {
    return this.#current;
  }

  /**
   * Points the name to this host. By default the host gets a fresh address first, as a new instance would have;
   * `fresh: false` is a return to the address it had.
   */
  async move(
    host: LabHost,
    options: { readonly delayMillis?: number; readonly fresh?: boolean } = {},
  ): Promise<LabMove> {
    const from = this.#current.address;
    const to = options.fresh === false ? host.address : await host.renew();
    if (options.delayMillis !== undefined) await sleep(options.delayMillis);
    this.#current = host;
    this.#point();
    return { from, to, at: performance.now() };
  }

  /** For people: who is where. */
  snapshot(): object {
    return {
      name: this.name,
      points: this.#current.address,
      dns: this.dns.mode.kind,
      hosts: this.hosts.map(({ index, address, fault, connections }) => ({
        index,
        address,
        fault: fault.kind,
        connections,
      })),
    };
  }

  /** Ends every server and removes every file. Does nothing the second time. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #point(): void {
    const { address } = this.#current;
    this.dns.setAnswer(address.includes(':') ? { aaaa: [address] } : { a: [address] });
  }

  async #close(): Promise<void> {
    for (const host of this.hosts) host.close();
    await this.dns.close();
    await Promise.all(this.#databases.map((database) => database.close()));
    await removeFolder(this.#folder);
  }
}

async function removeFolder(folder: string | null): Promise<void> {
  if (folder !== null) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Starts a lab.
 * @throws `INVALID_OPTION`; `LAB_UNAVAILABLE` with what this machine lacks and the command that adds it
 */
export async function startLab(options?: LabOptions): Promise<Lab> {
  const read = readLabOptions(options);
  const factory = factoryOf(read);
  const folder = factory === null ? null : await makeFolder();
  const dns = new DnsServer({ ...read, address: '127.0.0.1', port: 0 });
  const databases: Database[] = [];
  const hosts: LabHost[] = [];
  try {
    databases.push(...(await startAll(factory, read.hosts, folder)));
    hosts.push(...(await makeHosts(read.hosts, databases, new LoopbackPlan())));
    await dns.start();
    const [first, ...rest] = hosts;
    if (first === undefined) throw new Error('a lab has at least one host');
    return new Lab({ options: read, hosts: [first, ...rest], dns, databases, folder });
  } catch (error) {
    for (const host of hosts) host.close();
    await dns.close();
    await Promise.all(databases.map((database) => database.close()));
    await removeFolder(folder);
    throw error;
  }
}

function factoryOf({ databases, postgres }: ReadLabOptions): DatabaseFactory | null {
  if (databases === 'tcp-echo') return null;
  return databases === 'embedded-postgres' ? embeddedPostgres(postgres) : databases;
}

/** Servers may run as another user, who must be able to pass. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eip-pool-lab-'));
  await chmod(folder, 0o755);
  return folder;
}

async function startAll(factory: DatabaseFactory | null, count: number, folder: string | null): Promise<Database[]> {
  if (factory === null || folder === null) return [];
  const started = await Promise.allSettled(Array.from({ length: count }, (_, index) => factory({ index, folder })));
  const databases = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = started.find((each) => each.status === 'rejected');
  if (failed === undefined) return databases;
  await Promise.all(databases.map((database) => database.close()));
  throw failed.reason;
}

async function makeHosts(count: number, databases: readonly Database[], plan: AddressPlan): Promise<LabHost[]> {
  const port = await freePort(plan.next(0));
  const hosts = Array.from({ length: count }, (_, index) => new LabHost(index, port, plan, databases[index] ?? null));
  for (const host of hosts) await host.renew();
  return hosts;
}

/** A port that is free on a fresh address is very probably free on the next ones. */
async function freePort(address: string): Promise<number> {
  const server = createServer();
  const port = await listen(server, address, 0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
