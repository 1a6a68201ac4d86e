import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../errors.js';
import { nearest } from '../../options.js';
import { type Fault, FAULTS, faultsNamed } from '../failover/fault.js';
import { type Assertion, parseAssertion } from './assertion.js';
import { type Client, CLIENT_GROUPS, CLIENT_NAMES, clientsNamed, ownClient } from './clients.js';
import { METRICS } from './metrics.js';

export const HELP: string = `Usage: eip-pool bench failover [options]

Each fault × client × run is one failover between two real servers under open load, half of it writes; operations count
from when they were due. t = 0 is the later of: the DNS server gives the new answer; the fault is in force. The bare
limit is resolve + connect + log in + one query by a script that is told the moment. Afterwards both servers are read.

  --faults A,B      ${wrap([...FAULTS, 'dns', 'all'])} (all)
  --clients A,B     ${wrap([...CLIENT_NAMES, ...CLIENT_GROUPS])} (eip-pool,stock)
  --client MODULE   a client of yours as well (alone with --clients yours); repeatable
  --rate A,B        operations a second (100)
  --runs N          runs of each (3)
  --quick           kill, kill-late, silent, alive; eip-pool and pg.Pool; watched for 3 s, two at a time: under 90 s
  --matrix FILE     the options above from a JSON file: { "faults": [], "clients": [], "client": [], "rate": [], "runs": 3 }
  --parallel N      so many failovers at a time, each with servers of its own (1)
  --watch-millis N  how long a client is watched that does not recover (5000)
  --assert COND     CLIENT:FAULT.METRIC[.median]<NUMBER[x], with < <= > >= =; x: times the bare limit; without .median
                    every run must meet it, else the exit status is 1; repeatable. Metrics:
                    ${wrap(METRICS.map(({ name }) => name))}
  --json FILE       everything; eip-pool report FILE makes a page of it
  --markdown FILE   the table, which is printed too
  --real-network    in a network namespace: packets of a silent host and to a public address get lost
  --ec2             with a real Elastic IP and your own database instead: bench failover --ec2 --help

A client of yours is a module like this one; the lab's name resolves for it as for any other server:

  import { connect } from './my-data-layer.js';
  let db;
  export const database = 'postgres'; // or 'mysql'
  export const open = async ({ url }) => {
    db = await connect(url, { max: 10 });
  };
  export const write = (id) => db.query('insert into ledger (id) values ($1)', [id]);
  export const read = () => db.query('select 1'); // may return the server's port; else only the ledgers tell who wrote
  export const close = () => db.end();

Examples:
  eip-pool bench failover --quick
  eip-pool bench failover --clients eip-pool,peers --faults silent,dns --runs 10 --json failover.json
  eip-pool bench failover --client ./mine.mjs --assert 'mine:silent.firstSuccessMs<1500' --assert 'all:all.lostWrites=0'
`;

const OPTIONS = {
  runs: { type: 'string' },
  faults: { type: 'string' },
  clients: { type: 'string' },
  client: { type: 'string', multiple: true },
  rate: { type: 'string' },
  matrix: { type: 'string' },
  quick: { type: 'boolean' },
  parallel: { type: 'string' },
  assert: { type: 'string', multiple: true },
  'watch-millis': { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  'real-network': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

/** For who explains a mistake. */
export const OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);

/** A command line that was read. */
export interface Plan {
  readonly faults: readonly Fault[];
  readonly clients: readonly Client[];
  /** Files of the user's own clients. */
  readonly modules: readonly string[];
  readonly rates: readonly number[];
  readonly runs: number;
  readonly parallel: number;
  readonly watchMillis: number | null;
  readonly asserts: readonly Assertion[];
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly realNetwork: boolean;
  readonly help: boolean;
}

type Values = { readonly [K in 'faults' | 'clients' | 'rate' | 'runs']?: string | undefined } & {
  readonly client?: readonly string[] | undefined;
};

/** The later ones win: those that stand here, `--quick`, the file, the flags. */
const DEFAULTS: Values & { readonly parallel: string } = {
  faults: 'all',
  clients: 'eip-pool,stock',
  rate: '100',
  runs: '3',
  parallel: '1',
};
const QUICK: typeof DEFAULTS & { readonly 'watch-millis': string } = {
  ...DEFAULTS,
  faults: 'kill,kill-late,silent,alive',
  clients: 'eip-pool,pg.Pool',
  parallel: '2',
  'watch-millis': '3000',
};

/** @throws what was not understood */
export function readPlan(args: readonly string[]): Plan {
  const { values: flags } = parseArgs({ args: [...args], options: OPTIONS });
  const file = flags.matrix === undefined ? {} : readMatrix(flags.matrix);
  const realNetwork = flags['real-network'] === true;
  const base = flags.quick === true ? QUICK : DEFAULTS;
  const values = { ...base, ...(realNetwork ? { parallel: '1' } : {}), ...file, ...flags };
  const modules = (values.client ?? []).map((path) => resolve(path));
  const clients = unique(named('clients', values.clients!, (name) => clientsNamed(name)));
  // Which server a module needs is known when it is loaded; its name is known now.
  const known = [...clients, ...modules.map((path) => ownClient(path, 'embedded-postgres'))];
  const parallel = whole('parallel', values.parallel);
  if (realNetwork && parallel > 1)
    throw new Error('--parallel: a network namespace has room for one failover at a time');
  return {
    faults: unique(named('faults', values.faults!, faultsNamed)),
    clients,
    modules,
    rates: unique(named('rate', values.rate!, (text) => [positive('rate', text)])),
    runs: whole('runs', values.runs!),
    parallel,
    watchMillis: values['watch-millis'] === undefined ? null : positive('watch-millis', values['watch-millis']),
    asserts: (flags.assert ?? []).map((text) => named('assert', [text], (one) => [parseAssertion(one, known)])[0]!),
    json: flags.json,
    markdown: flags.markdown,
    realNetwork,
    help: flags.help === true,
  };
}

const FILE_KEYS: readonly string[] = ['faults', 'clients', 'client', 'rate', 'runs'];

function readMatrix(path: string): Values {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`--matrix ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    throw new Error(`--matrix ${path}: expected an object`);
  }
  const values: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(read)) {
    if (!FILE_KEYS.includes(key)) {
      throw new Error(`--matrix ${path}: no key '${key}'; did you mean '${nearest(key, FILE_KEYS)}'?`);
    }
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const texts = list.map((one) => {
      if (typeof one === 'string' || typeof one === 'number') return String(one);
      throw new Error(`--matrix ${path}: ${key}: expected names or numbers`);
    });
    values[key] = key === 'client' ? texts : texts.join();
  }
  return values;
}

/** What each part of a list means; the option is named in the message of what is not understood. */
function named<T>(option: string, list: string | readonly string[], meaning: (name: string) => readonly T[]): T[] {
  const names = typeof list === 'string' ? list.split(',') : list;
  try {
    return names.flatMap(meaning);
  } catch (error) {
    const message = messageOf(error);
    throw new Error(message.startsWith('--') ? message : `--${option}: ${message}`, { cause: error });
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new Error(`--${name}: expected a number above 0, got '${text}'`);
  return value;
}

function whole(name: string, text: string): number {
  const value = positive(name, text);
  if (!Number.isInteger(value)) throw new Error(`--${name}: expected a whole number, got '${text}'`);
  return value;
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

function wrap(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 90) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines.join(`,\n${' '.repeat(20)}`);
}
