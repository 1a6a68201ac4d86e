import { type ChildProcess, spawn } from 'node:child_process';
import { constants as modes } from 'node:fs';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { EipPoolError } from '../errors.js';
import { atExit } from './cleanup.js';
import { NETWORK_VARIABLE } from './options.js';
import { environment, NAME_SERVERS } from './real-network.js';

/** Whether {@link runInNetwork} works here, and what it lacks if not. */
export type RealNetwork = { readonly available: true } | { readonly available: false; readonly reason: string };

export interface RunInNetworkOptions {
  /**
   * The folder to run it in.
   * @defaultValue that of this process
   */
  readonly cwd?: string | undefined;
  /**
   * Environment variables over those of this process.
   * @defaultValue none
   */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /**
   * Gets what the command writes, standard output and error alike.
   * @defaultValue unset: it goes to this process's own
   */
  readonly onOutput?: ((text: string) => void) | undefined;
}

/**
 * As root a network alone. As an ordinary user a user namespace too: the user stays who he is (PostgreSQL refuses root) and
 * keeps the capabilities that the namespace gives. The last is for an `unshare` without these flags, and runs no PostgreSQL.
 */
const WAYS: { readonly root: readonly (readonly string[])[]; readonly user: readonly (readonly string[])[] } = {
  root: [['-nm'], ['-Urnm']],
  user: [['-U', '--map-current-user', '--keep-caps', '-nm'], ['-Urnm']],
};

/**
 * Packets to anywhere leave by `lo`, where they are counted and get lost: nothing can leave the namespace. The hosts file stays;
 * look-ups of other names go to the lab, past any resolver daemon of the machine.
 */
const SETUP: string = `
set -e
ip link set lo up
for address in $EIP_POOL_LAB_NAME_SERVERS; do ip addr add "$address/32" dev lo; done
ip route add default dev lo
mount --bind "$1/resolv.conf" /etc/resolv.conf
if [ -e /etc/nsswitch.conf ]; then mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf; fi
nft list ruleset >/dev/null
shift
exec "$@"`;

const TOOLS: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  ip: 'iproute2',
  nft: 'nftables',
  mount: 'mount',
};

/** Asks once whether this machine lets us make a network of its own. Takes some ten milliseconds. */
export async function probeRealNetwork(): Promise<RealNetwork> {
  const found = await findWay();
  return 'way' in found ? { available: true } : { available: false, reason: found.reason };
}

/**
 * Runs a command in a network of its own, in which {@link startLab} gives VPC addresses, DNS on port 53 (also through the
 * system's resolver) and hosts that can be blackholed. No packet leaves it. Works as root, and as an ordinary user where
 * the system allows user namespaces.
 *
 * @returns the exit status of the command; 128 plus the signal's number for one that a signal ended
 * @throws `LAB_UNAVAILABLE` with the reason of {@link probeRealNetwork}
 */
export async function runInNetwork(command: readonly string[], options: RunInNetworkOptions = {}): Promise<number> {
  const found = await findWay();
  if (!('way' in found)) throw new EipPoolError('LAB_UNAVAILABLE', `no network of its own: ${found.reason}`);
  return await execute(found.way, command, options);
}

async function findWay(): Promise<{ readonly way: readonly string[] } | { readonly reason: string }> {
  if (process.platform !== 'linux') return { reason: 'network namespaces exist on Linux only' };
  const missing = await missingTools();
  if (missing.length > 0) {
    const packages = missing.map((name) => TOOLS[name]).join(' ');
    return { reason: `${missing.join(', ')} not found; install with: apt-get install ${packages}` };
  }
  const reasons: string[] = [];
  for (const way of process.getuid?.() === 0 ? WAYS.root : WAYS.user) {
    let output = '';
    const status = await execute(way, ['true'], { onOutput: (text) => void (output += text) });
    if (status === 0) return { way };
    reasons.push(`unshare ${way.join(' ')}: ${output.trim() || `status ${status}`}`);
  }
  return { reason: `this system does not let us make a network namespace (${reasons.join('; ')})` };
}

async function execute(
  way: readonly string[],
  command: readonly string[],
  { cwd, env, onOutput }: RunInNetworkOptions,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'eip-pool-network-'));
  try {
    await writeFile(join(folder, 'resolv.conf'), `nameserver ${NAME_SERVERS.private}\n`);
    await writeFile(join(folder, 'nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
    const names = { EIP_POOL_LAB_NAME_SERVERS: Object.values(NAME_SERVERS).join(' '), [NETWORK_VARIABLE]: '1' };
    const child = spawn('unshare', [...way, 'sh', '-c', SETUP, 'sh', folder, ...command], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...environment(), ...env, ...names },
      stdio: onOutput === undefined ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    const forget = atExit(() => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => onOutput?.(String(chunk)));
    try {
      return await statusOf(child);
    } finally {
      forget();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function statusOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

async function missingTools(): Promise<string[]> {
  const folders = (environment()['PATH'] ?? '').split(':');
  const missing: string[] = [];
  for (const name of Object.keys(TOOLS)) {
    const places = folders.map((folder) => access(join(folder, name), modes.X_OK));
    if (
      !(await Promise.any(places).then(
        () => true,
        () => false,
      ))
    )
      missing.push(name);
  }
  return missing;
}
