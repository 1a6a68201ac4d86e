import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { systemClock } from '../clock.js';

/**
 * A process that we spawned, with the children that it made. Signals go to these only: a pid that we have not
 * reaped cannot belong to anyone else.
 */
export class ProcessTree {
  readonly #root: ChildProcess;
  #suspended = false;

  constructor(root: ChildProcess) {
    this.#root = root;
  }

  get running(): boolean {
    return this.#root.pid !== undefined && this.#root.exitCode === null && this.#root.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#root.pid;
  }

  /** At once. Returns the children. */
  killSync(): readonly number[] {
    return this.running ? killTree(this.#root.pid!) : [];
  }

  /** Resolves when root and children are gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    const exited = once(this.#root, 'exit');
    const children = this.killSync();
    await exited;
    while (children.some(isAlive)) await moment();
  }

  /** Resolves when none of their threads runs any more: one in the kernel first comes back from there. */
  async suspend(): Promise<void> {
    if (!this.running) return;
    this.#root.kill('SIGSTOP');
    const root = this.#root.pid!;
    const children = childrenOf(root);
    for (const pid of children) send(pid, 'SIGSTOP');
    this.#suspended = true;
    while (this.#suspended && [root, ...children].some(isActive)) await moment();
  }

  resume(): void {
    this.#suspended = false;
    if (!this.running) return;
    for (const pid of childrenOf(this.#root.pid!)) send(pid, 'SIGCONT');
    this.#root.kill('SIGCONT');
  }
}

/** The root is stopped first, so that it can make no further child. */
function killTree(root: number): readonly number[] {
  send(root, 'SIGSTOP');
  const children = childrenOf(root);
  for (const pid of children) send(pid, 'SIGKILL');
  send(root, 'SIGKILL');
  return children;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return childrenByPs(pid);
  }
}

/** Where there is no /proc (macOS), or a kernel without that file. */
function childrenByPs(parent: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([, ppid]) => ppid === parent).map(([pid]) => pid!);
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // gone meanwhile
  }
}

async function moment(): Promise<void> {
  await new Promise<void>((resolve) => systemClock.setAwaited(resolve, 5));
}

/** Is a thread of it neither stopped nor gone? Only Linux tells. */
function isActive(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.some((thread) => !'TZX'.includes(stateOf(`/proc/${pid}/task/${thread}/stat`)));
  } catch {
    return false;
  }
}

/** One letter, as in proc(5). */
function stateOf(file: string): string {
  const stat = readFileSync(file, 'utf8');
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

/** An orphan that nobody reaps, as in a container without an init, is dead all the same. */
function isAlive(pid: number): boolean {
  if (process.platform !== 'linux') return send(pid, 0);
  try {
    return !'ZX'.includes(stateOf(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/**
 * Waits for the end of its input, which is the end of our process, however it came: then kills what is listed in the
 * file, with its children, and removes the folder. `exit` handlers do not run on SIGKILL or an unhandled SIGTERM.
 */
const WATCH: string = `
while read -r _; do :; done
for pid in $(cat "$1/pids"); do
  kill -STOP "$pid"
  kill -KILL $(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid") "$pid"
done
rm -rf "$1"`;

/** The processes that must not outlive us, and the folder that must not. */
export class Watchdog {
  readonly #folder: string;
  readonly #pids: Set<number> = new Set();
  readonly #shell: ChildProcess;

  constructor(folder: string) {
    this.#folder = folder;
    this.#write();
    // A session of its own, so that Ctrl-C in a terminal reaches us and not the one who cleans up after us.
    this.#shell = spawn('/bin/sh', ['-c', WATCH, 'sh', folder], {
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref?(): void } | null)?.unref?.();
  }

  /** From its start to its end. */
  guard(child: ChildProcess): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#pids.add(pid);
    this.#write();
    child.once('exit', () => {
      if (this.#pids.delete(pid)) this.#write();
    });
  }

  /** Does its work now. */
  killSync(): void {
    for (const pid of this.#pids) killTree(pid);
    this.stop();
  }

  /** Call before removing the folder. */
  stop(): void {
    this.#shell.kill('SIGKILL');
  }

  #write(): void {
    try {
      writeFileSync(`${this.#folder}/pids`, [...this.#pids].join('\n'));
    } catch {
      // the folder is gone: the lab was closed
    }
  }
}
