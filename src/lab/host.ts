import { createServer, type Server, type Socket } from 'node:net';
import { EipPoolError } from '../errors.js';
import type { Database } from './database.js';
import { type Backend, Link } from './link.js';
import { type AddressPlan, listen } from './loopback.js';

/** What a host does with its connections. */
export type HostFault =
  | { readonly kind: 'none' }
  /** Open connections were reset, new ones are refused: the server process died, the machine lives. */
  | { readonly kind: 'killed' }
  /** New connections are refused, open ones go on. */
  | { readonly kind: 'refusing' }
  /** Silent: the kernel still takes connections, but nothing is answered, forwarded or closed. */
  | { readonly kind: 'stalled' }
  /** Each piece of data takes so much longer in each direction. */
  | { readonly kind: 'slow'; readonly millis: number };

/** A machine of the lab: an address of its own, one port, and a server behind it. */
export class LabHost {
  readonly index: number;
  readonly port: number;
  readonly #plan: AddressPlan;
  readonly #backend: Backend;
  readonly #database: Database | null;
  readonly #servers: Map<string, Server> = new Map();
  readonly #addresses: string[] = [];
  readonly #links: Set<Link> = new Set();
  readonly #accepted: Map<string, number> = new Map();
  #fault: HostFault = { kind: 'none' };

  constructor(index: number, port: number, plan: AddressPlan, database: Database | null) {
    this.index = index;
    this.port = port;
    this.#plan = plan;
    this.#database = database;
    this.#backend =
      database === null ? { kind: 'echo' } : { kind: 'database', address: database.address, port: database.port };
  }

  /** The address that it has now. */
  get address(): string {
    return this.#addresses.at(-1) ?? '';
  }

  /** All addresses that it has had. It still serves the connections on each of them. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** The server behind it. @throws `LAB_UNAVAILABLE` for a host that only echoes */
  get database(): Database {
    if (this.#database === null)
      throw new EipPoolError('LAB_UNAVAILABLE', `host ${this.index} is 'tcp-echo' and has no database`);
    return this.#database;
  }

  get fault(): HostFault {
    return this.#fault;
  }

  /** Open connections. */
  get connections(): number {
    return this.#links.size;
  }

  /** How many connections each address has ever taken. */
  get accepted(): ReadonlyMap<string, number> {
    return this.#accepted;
  }

  /** Gives the host a fresh address, as a new instance would have. The earlier ones stay, so that nothing breaks there. */
  async renew(): Promise<string> {
    const address = this.#plan.next(this.index);
    this.#addresses.push(address);
    if (this.#listens) await this.#listen(address);
    return address;
  }

  /** Resets every connection and refuses new ones, at once. */
  kill(): void {
    this.#fault = { kind: 'killed' };
    this.#stopListening();
    for (const link of [...this.#links]) link.reset();
  }

  refuse(): void {
    this.#fault = { kind: 'refusing' };
    this.#stopListening();
  }

  stall(): void {
    this.#fault = { kind: 'stalled' };
    for (const link of this.#links) link.stall();
  }

  slow(millis: number): void {
    this.#fault = { kind: 'slow', millis };
    for (const link of this.#links) link.slow(millis);
  }

  /** Ends every fault. Resolves when the host takes connections. */
  async restore(): Promise<void> {
    const wasListening = this.#listens;
    this.#fault = { kind: 'none' };
    for (const link of [...this.#links]) link.restore();
    if (!wasListening) await Promise.all(this.#addresses.map((address) => this.#listen(address)));
  }

  close(): void {
    this.kill();
  }

  get #listens(): boolean {
    return this.#fault.kind !== 'killed' && this.#fault.kind !== 'refusing';
  }

  async #listen(address: string): Promise<void> {
    if (this.#servers.has(address)) return;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) =>
      this.#accept(address, client),
    );
    this.#servers.set(address, server);
    await listen(server, address, this.port);
  }

  #stopListening(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }

  #accept(address: string, client: Socket): void {
    this.#accepted.set(address, (this.#accepted.get(address) ?? 0) + 1);
    const fault = this.#fault;
    const state = { stalled: fault.kind === 'stalled', slowMillis: fault.kind === 'slow' ? fault.millis : 0 };
    const link: Link = new Link(client, this.#backend, state, () => this.#links.delete(link));
    this.#links.add(link);
  }
}
