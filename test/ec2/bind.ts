import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };

/** Where BIND answers in the network of the lab, beside the lab's own DNS: one address for each view. */
export const INSIDE: string = '10.0.0.4';
export const OUTSIDE: string = '10.0.0.5';
type View = 'inside' | 'outside';
const VIEWS: Readonly<Record<View, string>> = { inside: INSIDE, outside: OUTSIDE };

/** What BIND needs that is not on this machine; empty if nothing is missing. */
export async function missingForBind(): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const tool of ['named', 'nsupdate', 'dig']) {
    await run('which', [tool], { env }).catch(() => missing.push(tool));
  }
  return missing;
}

/** BIND 9 with two views of two zones, as Route 53 and EC2 have them: example.com, and EC2's names. */
export class Bind {
  readonly #named: ChildProcess;
  readonly #folder: string;

  private constructor(named: ChildProcess, folder: string) {
    this.#named = named;
    this.#folder = folder;
  }

  static async start(): Promise<Bind> {
    const folder = await mkdtemp(path.join(tmpdir(), 'eip-pool-bind-'));
    for (const address of Object.values(VIEWS)) await run('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo'], { env });
    for (const view of Object.keys(VIEWS)) {
      for (const zone of ['example.com', 'compute-1.amazonaws.com']) {
        await writeFile(path.join(folder, `${zone}.${view}`), zoneFile(zone));
      }
    }
    const config = path.join(folder, 'named.conf');
    await writeFile(config, configuration(folder));
    const named = spawn('named', ['-g', '-c', config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const bind = new Bind(named, folder);
    await bind.#running();
    return bind;
  }

  /** One record instead of what the name had, in the views that are given; null: none. */
  async update(name: string, record: string | null, views: readonly View[]): Promise<void> {
    for (const view of views) {
      const add = record === null ? '' : `update add ${name}. 20 ${record}\n`;
      const child = run('nsupdate', [], { env });
      child.child.stdin?.end(`server ${VIEWS[view]}\nupdate delete ${name}.\n${add}send\n`);
      await child;
    }
  }

  async close(): Promise<void> {
    const ended = once(this.#named, 'exit');
    this.#named.kill('SIGKILL');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #running(): Promise<void> {
    let log = '';
    await new Promise<void>((resolve, reject) => {
      this.#named.once('exit', () => reject(new Error(`named ended: ${log}`)));
      this.#named.stderr?.on('data', (chunk: Buffer) => {
        log += String(chunk);
        if (/ running$/m.test(log)) resolve();
      });
    });
  }
}

/** `dig +short`, line by line. */
export async function dig(name: string, server: string): Promise<readonly string[]> {
  const { stdout } = await run('dig', ['+short', `@${server}`, name, 'A'], { env });
  return stdout.trim().split('\n');
}

function zoneFile(zone: string): string {
  return `$TTL 20\n@ IN SOA ns.${zone}. nobody.${zone}. 1 60 60 60 20\n@ IN NS ns.${zone}.\nns IN A ${INSIDE}\n`;
}

function configuration(folder: string): string {
  const zones = (view: string): string =>
    ['example.com', 'compute-1.amazonaws.com']
      .map((zone) => `zone "${zone}" { type primary; file "${zone}.${view}"; allow-update { any; }; };`)
      .join('\n  ');
  const views = Object.entries(VIEWS).map(
    ([view, address]) => `view "${view}" {\n  match-destinations { ${address}; };\n  ${zones(view)}\n};`,
  );
  // Recursion: without it BIND answers a CNAME into another zone of its own with the CNAME alone.
  return `options {
  directory "${folder}"; pid-file "named.pid"; session-keyfile "session.key";
  listen-on port 53 { ${Object.values(VIEWS).join('; ')}; }; listen-on-v6 { none; };
  recursion yes; allow-recursion { any; }; dnssec-validation no; empty-zones-enable no;
};
controls { };
${views.join('\n')}
`;
}
