import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Database, DatabaseContext, DatabaseFactory } from '../src/lab/index.js';
import { ProcessTree, Watchdog } from '../src/lab/process-tree.js';
import { chooseUser } from '../src/lab/run-as.js';
import { failed, followLog, freePort } from '../src/lab/server-process.js';

const ADDRESS: string = '127.0.0.1';

/** A program of the system that takes the database's place behind a host of the lab. */
export interface ServerProgram {
  readonly name: string;
  /** The files it reads, by name, once it knows where to listen and what its folder is. */
  files(listen: { readonly address: string; readonly port: number; readonly folder: string }): Record<string, string>;
  /** Its arguments, when its files are in this folder, which is its own. */
  args(folder: string): readonly string[];
  /** A line that it writes when it listens. */
  readonly ready: string;
}

/** The path of a program that Debian puts where only root looks for it; null if it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

export function behind(program: (index: number) => ServerProgram): DatabaseFactory {
  return (context) => ProgramProcess.start(program(context.index), context);
}

/** Runs as a user without rights, and ends with the lab or with this process, whichever ends first. */
class ProgramProcess implements Database {
  readonly address: string = ADDRESS;
  readonly port: number;
  readonly #program: ServerProgram;
  readonly #context: DatabaseContext;
  readonly #watchdog: Watchdog;
  readonly #listeners: ((listening: boolean) => void)[] = [];
  #tree: ProcessTree | undefined;
  #closed = false;

  private constructor(program: ServerProgram, context: DatabaseContext, port: number) {
    this.#program = program;
    this.#context = context;
    this.port = port;
    this.#watchdog = new Watchdog(context.folder);
  }

  static async start(program: ServerProgram, context: DatabaseContext): Promise<ProgramProcess> {
    const { folder } = context;
    await mkdir(folder, { recursive: true });
    const server = new ProgramProcess(program, context, await freePort(ADDRESS));
    await server.#writeFiles();
    await server.restart();
    return server;
  }

  get kind(): string {
    return this.#program.name;
  }

  async kill(): Promise<void> {
    await this.#tree?.kill();
  }

  async suspend(): Promise<void> {
    await this.#tree?.suspend();
  }

  resume(): Promise<void> {
    this.#tree?.resume();
    return Promise.resolve();
  }

  async restart(): Promise<void> {
    // A test whose time is over goes on, and would leave a process behind its lab.
    if (this.#closed) throw new Error(`${this.#program.name}: its lab was closed`);
    await this.kill();
    const child = await this.#spawn();
    const exited = once(child, 'close');
    child.on('exit', () => this.#tell(false));
    const log = followLog(child, (line) => this.#context.log(line));
    const ready = new Promise<boolean>((resolve) => {
      log.onLine = (line) => {
        if (line.includes(this.#program.ready)) resolve(true);
      };
      createInterface({ input: child.stdout! }).on('line', log.onLine);
    });
    if (!(await Promise.race([ready, exited.then(() => false)]))) throw failed(this.#program.name, log);
    this.#tell(true);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.kill();
    this.#watchdog.stop();
  }

  closeSync(): void {
    this.#watchdog.killSync();
  }

  subscribe(listener: (listening: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async #spawn(): Promise<ChildProcess> {
    const { folder } = this.#context;
    const child = spawn(findProgram(this.#program.name)!, this.#program.args(folder), {
      ...(await chooseUser(['nobody'])),
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#watchdog.guard(child);
    this.#tree = new ProcessTree(child);
    return child;
  }

  async #writeFiles(): Promise<void> {
    const { folder } = this.#context;
    const { uid, gid } = await chooseUser(['nobody']);
    const files = this.#program.files({ address: ADDRESS, port: this.port, folder });
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name);
      await writeFile(file, text, { mode: 0o600 });
      if (uid !== undefined && gid !== undefined) await chown(file, uid, gid);
    }
    await chmod(folder, 0o711);
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
  }

  #tell(listening: boolean): void {
    for (const listener of this.#listeners) listener(listening);
  }
}
