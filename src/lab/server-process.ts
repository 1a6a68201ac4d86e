import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { EipPoolError } from '../errors.js';
import type { Database, DatabaseContext } from './database.js';
import { ProcessTree } from './process-tree.js';

/** The last lines that a program wrote, for the message if it fails. */
export interface LogTail {
  lines: readonly string[];
  onLine: ((line: string) => void) | undefined;
}

export function failed(program: string, { lines }: LogTail): EipPoolError {
  return new EipPoolError('LAB_UNAVAILABLE', `${program} failed: ${lines.join('\n') || 'it wrote nothing'}`);
}

export function followLog(child: ChildProcess, log: (line: string) => void): LogTail {
  const tail: LogTail = { lines: [], onLine: undefined };
  createInterface({ input: child.stderr! }).on('line', (line) => {
    tail.lines = [...tail.lines.slice(-19), line];
    tail.onLine?.(line);
    log(line);
  });
  return tail;
}

export async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  await once(server.close(), 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

/** Where a server of the lab listens: only the lab itself dials it. */
export const LISTEN_ADDRESS: string = '127.0.0.1';
/** A port that was free a moment ago may be taken by now. */
const START_ATTEMPTS: number = 5;

type State =
  { readonly kind: 'stopped' } | { readonly kind: 'running'; readonly tree: ProcessTree } | { readonly kind: 'closed' };

/** The life of one database server's process: it is started, killed, frozen, started again, and closed for good. */
export abstract class ServerProcess implements Database {
  abstract readonly kind: string;
  readonly address: string = LISTEN_ADDRESS;
  protected readonly context: DatabaseContext;
  readonly #listeners: ((listening: boolean) => void)[] = [];
  #port: number = 0;
  #state: State = { kind: 'stopped' };

  constructor(context: DatabaseContext) {
    this.context = context;
  }

  abstract query<Row>(sql: string): Promise<Row[]>;

  /** Runs the server, to listen on {@link port}. */
  protected abstract spawnServer(): ChildProcess;
  /** Does the server say with this line that it takes log-ins? */
  protected abstract saysReady(line: string): boolean;

  /** Does it say with this line that it answers? */
  protected saysListening(line: string): boolean {
    return this.saysReady(line);
  }

  /** Removes what a server that was killed left behind, and that keeps it from starting again. */
  protected abstract tidy(): Promise<void>;

  get port(): number {
    return this.#port;
  }

  async kill(): Promise<void> {
    if (this.#state.kind === 'running') await this.#state.tree.kill();
  }

  async suspend(): Promise<void> {
    if (this.#state.kind === 'running') await this.#state.tree.suspend();
  }

  resume(): Promise<void> {
    if (this.#state.kind === 'running') this.#state.tree.resume();
    return Promise.resolve();
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.tidy();
    await this.#run();
  }

  async close(): Promise<void> {
    await this.kill();
    this.#state = { kind: 'closed' };
  }

  closeSync(): void {
    if (this.#state.kind === 'running') this.#state.tree.killSync();
    this.#state = { kind: 'closed' };
  }

  subscribe(listener: (listening: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /** On a port of its own. */
  protected async startOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#port = await freePort(LISTEN_ADDRESS);
      try {
        return await this.#run();
      } catch (error) {
        if (attempt === START_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  async #run(): Promise<void> {
    if (this.#state.kind === 'closed') throw new EipPoolError('LAB_UNAVAILABLE', 'the lab was closed');
    const child = this.spawnServer();
    const tree = new ProcessTree(child);
    const exited = once(child, 'close');
    child.on('exit', () => {
      if (this.#state.kind === 'running' && this.#state.tree === tree) this.#state = { kind: 'stopped' };
      for (const listener of this.#listeners) listener(false);
    });
    this.#state = { kind: 'running', tree };
    const lines = followLog(child, (line) => this.context.log(line));
    const ready = new Promise<void>((resolve) => {
      lines.onLine = (line) => {
        if (this.saysListening(line)) for (const listener of this.#listeners) listener(true);
        if (this.saysReady(line)) resolve();
      };
    });
    const isReady = await Promise.race([ready.then(() => true), exited.then(() => false)]);
    if (!isReady) throw failed(child.spawnfile, lines);
  }
}
