import { readFile } from 'node:fs/promises';
import { type FollowOptions, readFollowOptions } from '../../endpoint/options.js';
import { EipPoolError, messageOf } from '../../errors.js';
import { boolean, integer, invalidOption, millis, oneOf, type Reader, readOptions } from '../../options.js';
import { type Args, type OptionTable, UsageError } from '../args.js';
import { SERVER_OPTION } from '../command.js';
import { type Listen, readAdmin, readListen, readTarget, type Target } from './places.js';
import { type Protocol, PROTOCOLS } from './probers.js';

/** One place where the proxy listens, and where it leads. */
export interface RouteSettings {
  readonly listen: Listen;
  readonly target: Target;
  readonly protocol: Protocol | null;
  /** Whether the server is told by the PROXY protocol who the client is. */
  readonly proxyProtocol: boolean;
  /** How long a client waits for a server, in milliseconds. */
  readonly deadlineMillis: number;
  /** How long a connection may go on, on an address that the name has left, in milliseconds. */
  readonly drainMillis: number;
  readonly maxConnections: number;
  readonly follow: FollowOptions;
}

export interface ProxySettings {
  readonly routes: readonly RouteSettings[];
  readonly admin: Extract<Listen, { kind: 'tcp' }> | null;
  /** How long clients may go on after the proxy was told to end, in milliseconds. */
  readonly graceMillis: number;
}

export const PROXY_OPTIONS: OptionTable = {
  listen: {
    value: 'ADDRESS:PORT',
    multiple: true,
    help: 'where clients come, or the path of a Unix socket; repeatable, one for each NAME:PORT, in order',
  },
  config: { value: 'FILE', help: 'JSON: {"routes": [{"listen": …, "to": …}]}, with these options by other names' },
  protocol: { value: 'NAME', help: `${PROTOCOLS.join(' or ')}: ask a silent server whether it lives` },
  'proxy-protocol': { help: 'tell the server who the client is: PROXY protocol, version 2' },
  deadline: { value: 'MILLIS', help: 'how long a client waits for a server; 30000' },
  drain: { value: 'MILLIS', help: 'how long a connection may go on after the name has left its address; 2000' },
  grace: { value: 'MILLIS', help: 'how long connections may go on after SIGTERM or SIGINT; 8000' },
  'max-connections': { value: 'N', help: 'clients at a time, for each --listen; further ones are closed; 2000' },
  admin: { value: 'ADDRESS:PORT', help: 'serve /health, /ready and /metrics there (needs the package prom-client)' },
  interval: { value: 'MILLIS', help: 'how often DNS is asked while all is well; 1000, at least 100' },
  ...SERVER_OPTION,
};

const LONGEST_TIMER = 2 ** 31 - 1;
const MOST_CONNECTIONS = 1_000_000;

/** What holds for every route that does not say otherwise. */
type Defaults = Omit<RouteSettings, 'listen' | 'target'>;

/**
 * What the command line says, and the file that it names. What the file says of a route goes first.
 * @throws `INVALID_OPTION` that names the option, and the file where it stands in one; `UsageError`
 */
export async function readProxySettings(args: Args): Promise<ProxySettings> {
  const defaults = readDefaults(args);
  const [file, admin] = [args.get('config'), args.get('admin')];
  const read = file === undefined ? null : await readConfig(file, defaults);
  const routes = [...readRoutes(args, defaults), ...(read?.routes ?? [])];
  if (routes.length === 0) throw new UsageError('nothing to do: --listen ADDRESS:PORT NAME:PORT, or --config FILE');
  return {
    routes,
    admin: admin === undefined ? (read?.admin ?? null) : readAdmin(admin, '--admin'),
    graceMillis: args.number('grace', 0, LONGEST_TIMER) ?? read?.graceMillis ?? GRACE_MILLIS,
  };
}

const GRACE_MILLIS = 8_000;

function readDefaults(args: Args): Defaults {
  return {
    protocol: readProtocol(args.get('protocol'), '--protocol'),
    proxyProtocol: args.has('proxy-protocol'),
    deadlineMillis: args.number('deadline', 1, LONGEST_TIMER) ?? 30_000,
    drainMillis: args.number('drain', 0, LONGEST_TIMER) ?? 2_000,
    maxConnections: integer(
      2_000,
      1,
      MOST_CONNECTIONS,
    )(args.number('max-connections', 1, MOST_CONNECTIONS), '--max-connections'),
    follow: { servers: args.all('server'), intervalMillis: args.number('interval', 100, 3_600_000) },
  };
}

function readRoutes(args: Args, defaults: Defaults): RouteSettings[] {
  const [listens, targets] = [args.all('listen') ?? [], args.positionals];
  if (listens.length !== targets.length) {
    throw new UsageError(`${listens.length} --listen, but ${targets.length} NAME:PORT: each has one of the other`);
  }
  return targets.map((target, i) => ({
    ...defaults,
    listen: readListen(listens[i], '--listen'),
    target: readTarget(target, 'NAME:PORT'),
  }));
}

interface Config {
  readonly routes: readonly RouteSettings[];
  readonly admin: ProxySettings['admin'];
  readonly graceMillis: number;
}

async function readConfig(file: string, defaults: Defaults): Promise<Config> {
  const given = parse(await readText(file), file);
  try {
    return readOptions<Config>(
      {
        routes: routesReader(defaults),
        admin: (value, name) => (value === undefined ? null : readAdmin(value, name)),
        graceMillis: millis(GRACE_MILLIS, 0, LONGEST_TIMER),
      },
      given,
      'config',
    );
  } catch (error) {
    throw new EipPoolError('INVALID_OPTION', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: cannot read ${file}: ${messageOf(error)}`);
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new EipPoolError('INVALID_OPTION', `${file}: expected JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** A route as a file has it. */
type RawRoute = Defaults & { readonly listen: Listen; readonly to: Target };

function routesReader(defaults: Defaults): Reader<readonly RouteSettings[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw invalidOption(name, 'an array such as [{"listen": …, "to": …}]', value);
    return value.map((route: unknown, i) => readRoute(route, `${name}[${i}]`, defaults));
  };
}

function readRoute(given: unknown, where: string, defaults: Defaults): RouteSettings {
  const { to, ...route } = readOptions<RawRoute>(
    {
      listen: readListen,
      to: readTarget,
      protocol: (value, name) => (value === undefined ? defaults.protocol : readProtocol(value, name)),
      proxyProtocol: boolean(defaults.proxyProtocol),
      deadlineMillis: millis(defaults.deadlineMillis, 1, LONGEST_TIMER),
      drainMillis: millis(defaults.drainMillis, 0, LONGEST_TIMER),
      maxConnections: integer(defaults.maxConnections, 1, MOST_CONNECTIONS),
      follow: (value, name) => {
        readFollowOptions(value, name);
        return { ...defaults.follow, ...(value as FollowOptions | undefined) };
      },
    },
    given,
    where,
  );
  return { ...route, target: to };
}

const readProtocol: Reader<Protocol | null> = (value, name) =>
  value === undefined ? null : oneOf(PROTOCOLS[0], PROTOCOLS)(value, name);
