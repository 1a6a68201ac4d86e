import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import packet from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Runs inside a network of its own (see real-network.test.ts), with system files of its own: whatever they say, a socket of
 * an endpoint without options reaches the server that `net.connect`, and so every driver, reaches by the name.
 */
const PORT = 7_000;
const SIX = 'fd00:7::1';
const [FILE, DNS, OTHER] = ['127.0.1.1', '127.0.1.2', '127.0.1.3'];
/** Of a machine that is not ours; nothing leaves the namespace. */
const PUBLIC = '203.0.113.9';
const [SERVER, SECOND, DEAD] = ['127.0.0.53', '127.0.0.54', '127.0.0.55'];

/** What the files say, and what the DNS servers know: addresses by name, or how they fail on it. */
interface Setup {
  readonly hosts?: string;
  readonly nsswitch?: string;
  readonly resolvConf?: string;
  readonly zone?: Readonly<Record<string, readonly string[] | 'servfail' | 'drop'>>;
}
interface Row extends Setup {
  readonly name: string;
  /** @defaultValue db.example */
  readonly ask?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where both end up; a code if nowhere. */
  readonly at: string;
  readonly source: RegExp;
}

const rows: readonly Row[] = [
  { name: 'only DNS knows it', zone: { 'db.example': [DNS] }, at: DNS, source: /^dns/ },
  { name: 'only the hosts file knows it', hosts: `${FILE} db.example`, at: FILE, source: /^system/ },
  {
    name: 'the hosts file names another server than DNS, as with extra_hosts of Docker',
    hosts: `${FILE} db.example`,
    zone: { 'db.example': [DNS] },
    at: FILE,
    source: /^system/,
  },
  {
    name: 'the hosts file has it as an alias, in another case',
    hosts: `${FILE}\tmain.example DB.Example # the database`,
    zone: { 'db.example': [DNS] },
    at: FILE,
    source: /^system/,
  },
  {
    name: 'the hosts file has it in IPv6 alone',
    hosts: `${SIX} db.example`,
    zone: { 'db.example': [DNS] },
    at: SIX,
    source: /^system/,
  },
  {
    name: 'DNS is asked before the hosts file',
    nsswitch: 'hosts: dns files',
    hosts: `${FILE} db.example`,
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'the hosts file is asked after DNS, which does not know it',
    nsswitch: 'hosts: dns files',
    hosts: `${FILE} db.example`,
    at: FILE,
    source: /^system/,
  },
  {
    name: 'no service but the hosts file',
    nsswitch: 'hosts: files',
    zone: { 'db.example': [DNS] },
    at: 'ENOTFOUND',
    source: /^$/,
  },
  {
    name: 'a service that this machine does not have stands before DNS',
    nsswitch: 'hosts: files nothere [!UNAVAIL=return] dns',
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^(dns|system)/,
  },
  {
    name: 'nsswitch.conf says nothing of hosts',
    nsswitch: 'passwd: files',
    hosts: `${FILE} other.example`,
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a search domain completes it',
    ask: 'db',
    resolvConf: 'search here.example there.example',
    zone: { 'db.there.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a search domain completes it, and a later one would too',
    ask: 'db',
    resolvConf: 'search here.example there.example',
    zone: { 'db.there.example': [OTHER], 'db.here.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'the servers fail on the first search domain',
    ask: 'db',
    resolvConf: 'search here.example there.example',
    zone: { 'db.here.example': 'servfail', 'db.there.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a pod of Kubernetes, where its bare form is public DNS’s',
    ask: 'postgres.dev',
    resolvConf: 'search team.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5',
    zone: { 'postgres.dev.svc.cluster.local': [DNS], 'postgres.dev': [PUBLIC] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a pod of Kubernetes, where only the bare form is known',
    resolvConf: 'search team.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5',
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a name with dots is asked for as it is first',
    resolvConf: 'search here.example',
    zone: { 'db.example': [DNS], 'db.example.here.example': [OTHER] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a name with a final dot is neither completed nor in the hosts file',
    ask: 'db.example.',
    hosts: `${FILE} db.example`,
    resolvConf: 'search here.example\noptions ndots:5',
    zone: { 'db.example': [DNS], 'db.example.here.example': [OTHER] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'the last of domain and search counts',
    ask: 'db',
    resolvConf: 'search here.example\ndomain there.example',
    zone: { 'db.here.example': [OTHER], 'db.there.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'the environment has a search list and options of its own',
    ask: 'db.one',
    resolvConf: 'search here.example',
    environment: { LOCALDOMAIN: 'there.example', RES_OPTIONS: 'ndots:2' },
    zone: { 'db.one.there.example': [DNS], 'db.one': [OTHER], 'db.one.here.example': [OTHER] },
    at: DNS,
    source: /^dns/,
  },
  {
    name: 'a search domain completes it, and the first DNS server is dead',
    ask: 'db',
    resolvConf: `search here.example there.example\nnameserver ${DEAD}\nnameserver ${SERVER}\noptions timeout:1`,
    zone: { 'db.there.example': [DNS] },
    at: DNS,
    source: /^dns/,
  },
  { name: 'nobody knows it', at: 'ENOTFOUND', source: /^$/ },
];

/** What changes under a running process, and where a new connection of a driver goes from then on. */
const changes: readonly (Row & { readonly later: Setup; readonly to: string })[] = [
  {
    name: 'the hosts file comes to name it',
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^dns/,
    later: { hosts: `${FILE} db.example` },
    to: FILE,
  },
  {
    name: 'the hosts file names another server',
    hosts: `${FILE} db.example`,
    at: FILE,
    source: /^system/,
    later: { hosts: `${OTHER} db.example` },
    to: OTHER,
  },
  {
    name: 'the hosts file names it no more',
    hosts: `${FILE} db.example`,
    zone: { 'db.example': [DNS] },
    at: FILE,
    source: /^system/,
    later: { hosts: '' },
    to: DNS,
  },
  {
    name: 'the search list is another one',
    ask: 'db',
    resolvConf: 'search here.example',
    zone: { 'db.here.example': [DNS], 'db.there.example': [OTHER] },
    at: DNS,
    source: /^dns/,
    later: { resolvConf: 'search there.example' },
    to: OTHER,
  },
  {
    name: 'the DNS server is another one, which says something else',
    zone: { 'db.example': [DNS] },
    at: DNS,
    source: /^dns/,
    later: { resolvConf: `nameserver ${SECOND}` },
    to: OTHER,
  },
  {
    name: 'the name moves in DNS, found through the search list',
    ask: 'db',
    resolvConf: 'search here.example there.example',
    zone: { 'db.there.example': [DNS] },
    at: DNS,
    source: /^dns/,
    later: { zone: { 'db.there.example': [OTHER] } },
    to: OTHER,
  },
];

/** Prints where stock's socket and ours end up; then, once its input says so, waits until ours has moved. */
const PROGRAM: string = `
  import { connect } from 'node:net';
  import { follow } from ${JSON.stringify(new URL('../../dist/esm/index.js', import.meta.url).href)};
  const name = process.argv[1];
  const reached = (socket) => new Promise((resolve) => {
    socket.on('data', (data) => resolve(String(data))).on('error', (error) => resolve(error.code));
  });
  const both = async () => ({ stock: await reached(connect(${PORT}, name)), ours: await reached(endpoint.connect(${PORT})) });
  const endpoint = follow(name);
  console.log(JSON.stringify({ ...(await both()), source: endpoint.current?.source ?? '' }));
  process.stdin.once('data', async () => {
    const stock = await reached(connect(${PORT}, name));
    while (!endpoint.has(stock)) await new Promise((resolve) => endpoint.once('answer', resolve));
    console.log(JSON.stringify({ ...(await both()), source: endpoint.current.source }));
    process.exit();
  });
  if (process.argv[2] === 'once') process.exit();
`;

interface Reached {
  readonly stock: string;
  readonly ours: string;
  readonly source: string;
}

const folder: string = mkdtempSync(join(tmpdir(), 'eip-pool-files-'));
const FILES = { hosts: '/etc/hosts', nsswitch: '/etc/nsswitch.conf', resolvConf: '/etc/resolv.conf' } as const;
let zone: NonNullable<Setup['zone']> = {};
const closing: (() => void)[] = [];

function setUp({ hosts, nsswitch, resolvConf = '', zone: known }: Setup): void {
  zone = known ?? zone;
  const nameservers = /nameserver/.test(resolvConf) ? '' : `nameserver ${SERVER}\n`;
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${hosts ?? ''}\n`);
  writeFileSync(join(folder, 'nsswitch'), `${nsswitch ?? 'hosts: files dns'}\n`);
  writeFileSync(join(folder, 'resolvConf'), `${nameservers}${resolvConf}\n`);
}

async function listen(address: string): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).end(address));
  server.listen(PORT, address);
  await once(server, 'listening');
  closing.push(() => server.close());
}

async function serveDns(
  address: string,
  answer: (name: string) => readonly string[] | 'servfail' | 'drop' | undefined,
): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(53, address);
  await once(socket, 'listening');
  closing.push(() => socket.close());
  socket.on('message', (bytes, { address: to, port }) => {
    const { id = 0, questions = [] } = packet.decode(bytes);
    const [{ name, type } = { name: '', type: 'A' }] = questions;
    const known = answer(name.toLowerCase());
    if (known === 'drop') return;
    const rcode = known === undefined ? 3 : known === 'servfail' ? 2 : 0;
    const addresses = typeof known === 'object' && type === 'A' ? known : [];
    const answers = addresses.map((data) => ({ type: 'A' as const, name, ttl: 5, data }));
    socket.send(packet.encode({ type: 'response', id, flags: 0x0180 | rcode, questions, answers }), port, to);
  });
}

beforeAll(async () => {
  setUp({});
  for (const [file, path] of Object.entries(FILES)) execFileSync('mount', ['--bind', join(folder, file), path]);
  execFileSync('ip', ['addr', 'add', `${SIX}/128`, 'dev', 'lo']);
  for (const address of [FILE, DNS, OTHER, SIX]) await listen(address);
  await serveDns(SERVER, (name) => zone[name]);
  await serveDns(SECOND, () => [OTHER]);
});
afterAll(() => {
  for (const path of Object.values(FILES)) execFileSync('umount', [path]);
  for (const close of closing) close();
  rmSync(folder, { recursive: true });
});

/** A process of its own for each: libc, c-ares and the endpoint read the files as at the start of any application. */
function start(
  { ask = 'db.example', environment }: Row,
  ...more: string[]
): { readonly child: ChildProcess; next(): Promise<Reached> } {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, ask, ...more], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, next: async () => JSON.parse((await lines.next()).value as string) as Reached };
}

describe('where the driver would have gone', () => {
  it.each(rows)('goes an endpoint where $name', async (row) => {
    setUp({ zone: {}, ...row });
    const { next } = start(row, 'once');
    const { stock, ours, source } = await next();
    expect({ stock, ours }).toEqual({ stock: row.at, ours: row.at });
    expect(source).toMatch(row.source);
  });

  it.each(changes)('goes an endpoint from then on where $name', async (row) => {
    setUp({ zone: {}, ...row });
    const { child, next } = start(row);
    expect(await next()).toMatchObject({ stock: row.at, ours: row.at });
    setUp({ ...row, ...row.later });
    child.stdin?.write('changed');
    expect(await next()).toMatchObject({ stock: row.to, ours: row.to });
  });
});
