import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { RunAs } from './postgres-binaries.js';

/**
 * Runs a server and waits at its standard input. When that ends, because we closed it or because our process is gone in
 * whatever way, the server is ended and the lab's folder removed. A line means: the server is dead already, leave.
 */
const SCRIPT = `
root=$1; shift
"$@" </dev/null &
server=$!
echo "$server"
if read -r line; then wait "$server"; exit 0; fi
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$root"
`;

/** A server process that cannot outlive this one. */
export class Guardian {
  readonly #child: ChildProcess;
  readonly pid: number;
  readonly #log: string[];

  private constructor(child: ChildProcess, pid: number, log: string[]) {
    this.#child = child;
    this.pid = pid;
    this.#log = log;
  }

  static async start(command: readonly string[], root: string, as: RunAs): Promise<Guardian> {
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'eip-pool-lab', root, ...command], {
      ...as,
      // A session of its own: a Ctrl-C at the terminal is for us, who then close its standard input.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: root,
    });
    const log: string[] = [];
    child.stdin.on('error', () => {});
    child.stderr.on('data', (chunk: Buffer) => void log.splice(0, log.length, (log.join('') + chunk).slice(-8_192)));
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    child.stdout.resume();
    for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
    child.unref();
    return new Guardian(child, Number.parseInt(first.toString(), 10), log);
  }

  /** The end of what the server wrote. */
  get log(): string {
    return this.#log.join('');
  }

  /** A signal to the server and all its children. */
  signal(signal: NodeJS.Signals): void {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** After the server was killed: lets go of its data. */
  async leave(): Promise<void> {
    await this.#end(() => this.#child.stdin?.end('leave\n'));
  }

  /** Ends the server, and removes the lab's folder. */
  async close(): Promise<void> {
    this.signal('SIGCONT');
    await this.#end(() => this.#child.stdin?.end());
  }

  async #end(tell: () => void): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref();
    const exited = once(this.#child, 'exit');
    tell();
    await exited;
  }
}

/** PostgreSQL's backends each have a session of their own, so a process group does not name them. */
function childrenOf(parent: number): number[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === parent)
      .map(Number);
  }
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

function parentOf(pid: string): number | undefined {
  try {
    // After the command's name, which may hold anything: state, parent.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
