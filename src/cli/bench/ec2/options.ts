import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Contender } from '../../failover/trial.js';

/** What the user asked for. All durations are milliseconds. */
export interface Plan {
  readonly allocationId: string;
  readonly instances: readonly [string, string];
  readonly url: URL;
  readonly contenders: readonly Contender[];
  readonly runs: number;
  readonly ratePerSecond: number;
  readonly watchedMillis: number;
  readonly restoreMillis: number;
  readonly table: string | null;
  readonly dnsServers: readonly string[];
  readonly region: string | undefined;
  readonly json: string | undefined;
  readonly agreed: boolean;
}

export const HELP: string = `Usage: eip-pool bench failover --ec2 --allocation-id ID --instances I,I --url URL [options]

Switches a real Elastic IP between two instances, back and forth, and measures what clients of your database notice.
Run it inside the VPC. Without --yes it only says what it would do. However it ends, the Elastic IP is put back where it
was. An Elastic IP or instance with a tag eip-pool:protected, whatever its value, is refused.

  --allocation-id ID  the Elastic IP: eipalloc-…
  --instances I,I     the two instances; it must be on one of them
  --url URL           postgres://user:password@NAME:PORT/database, or mysql://…; NAME leads to the Elastic IP
  --yes               do it
  --runs N            how many switches (4)
  --client C          eip-pool, stock, tuned (pg only), or a module of yours; repeatable (eip-pool, stock)
  --rate N            statements a second of each client (100)
  --watch-millis N    how long clients are watched after a switch (10000)
  --table NAME        write too: a table of this name is created on both servers and dropped at the end (PostgreSQL
                      only). Without it nothing is written
  --server ADDRESS    a DNS server to ask instead of those of resolv.conf; repeatable
  --region REGION     of the Elastic IP; else AWS_REGION
  --restore-seconds N how long to go on trying to put it back while the EC2 API fails (300)
  --json FILE         everything, for eip-pool report

A module of yours exports open({ url, sql }), which returns { read(), write(id), close() }: read and write run sql.read and
sql.write (null without --table; its parameter is the id) and resolve to the column server of their row.

Example:
  eip-pool bench failover --ec2 --allocation-id eipalloc-0123456789abcdef0 --instances i-0aaaaaaaaaaaaaaaa,i-0bbbbbbbbbbbbbbbb \\
    --url postgres://bench:secret@db.example.com/app
`;

export const OPTIONS = {
  ec2: { type: 'boolean' },
  'allocation-id': { type: 'string' },
  instances: { type: 'string' },
  url: { type: 'string' },
  yes: { type: 'boolean' },
  runs: { type: 'string', default: '4' },
  client: { type: 'string', multiple: true, default: ['eip-pool', 'stock'] as string[] },
  rate: { type: 'string', default: '100' },
  'watch-millis': { type: 'string', default: '10000' },
  table: { type: 'string' },
  server: { type: 'string', multiple: true, default: [] as string[] },
  region: { type: 'string' },
  'restore-seconds': { type: 'string', default: '300' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws with what was not understood */
export function readPlan(args: readonly string[]): Plan | 'help' {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help === true) return 'help';
  const url = databaseUrl(values.url);
  return {
    allocationId: matching('allocation-id', values['allocation-id'], /^eipalloc-\w+$/, 'eipalloc-…'),
    instances: twoInstances(values.instances),
    url,
    contenders: values.client.map((client) => contender(client, url)),
    runs: amount('runs', values.runs, 1, 1_000),
    ratePerSecond: amount('rate', values.rate, 1, 10_000),
    watchedMillis: amount('watch-millis', values['watch-millis'], 100, 600_000),
    restoreMillis: 1_000 * amount('restore-seconds', values['restore-seconds'], 1, 86_400),
    table: tableName(values.table, url),
    dnsServers: values.server,
    region: values.region,
    json: values.json,
    agreed: values.yes === true,
  };
}

function databaseUrl(text: string | undefined): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^(postgres|postgresql|mysql):$/.test(url.protocol) && url.hostname !== '') return url;
  // The text may hold a password, so it is not shown.
  throw new Error('--url: expected a URL such as postgres://user:password@db.example.com:5432/database');
}

function matching(name: string, text: string | undefined, form: RegExp, expected: string): string {
  if (text !== undefined && form.test(text)) return text;
  throw new Error(`--${name}: expected ${expected}, got ${text === undefined ? 'nothing' : `'${text}'`}`);
}

function twoInstances(text: string | undefined): readonly [string, string] {
  const list = matching('instances', text, /^i-\w+,i-\w+$/, 'two instances as i-…,i-…');
  const [first, second] = list.split(',') as [string, string];
  if (first === second) throw new Error('--instances: expected two instances, got one twice');
  return [first, second];
}

function contender(client: string, url: URL): Contender {
  const driver = url.protocol === 'mysql:' ? 'mysql' : 'pg';
  const own = (label: string, file: string): Contender => ({
    label,
    module: new URL(`${file}.js`, import.meta.url).href,
  });
  if (client === 'eip-pool') return own(driver === 'pg' ? 'eip-pool/pg' : 'eip-pool/mysql2', `following-${driver}`);
  if (client === 'stock') return own(driver === 'pg' ? 'pg.Pool' : 'mysql2', `stock-${driver}`);
  if (client === 'tuned' && driver === 'pg') return own('pg.Pool tuned', 'tuned-pg');
  if (/[./]/.test(client)) return { label: path.parse(client).name, module: pathToFileURL(path.resolve(client)).href };
  throw new Error(`--client: expected eip-pool, stock, tuned (pg only) or the path of a module, got '${client}'`);
}

function amount(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a whole number from ${min} to ${max}, got '${text}'`);
}

function tableName(text: string | undefined, url: URL): string | null {
  if (text === undefined) return null;
  if (url.protocol === 'mysql:') throw new Error('--table: with PostgreSQL only; MySQL cannot tell where it wrote');
  return matching('table', text, /^[a-z_][a-z0-9_]{0,62}$/, 'a new table’s name in lower case');
}
