import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** What can be seen of an export: a function's or a class's name and length, its statics, and what its instances have. */
interface Shape {
  readonly type: string;
  readonly name?: string;
  readonly length?: number;
  readonly statics?: Readonly<Record<string, string>>;
  readonly members?: Readonly<Record<string, string>>;
}
type Shapes = Readonly<Record<string, Shape>>;

/** What a module gives is told by a process of its own, which loads the module as an application does. */
const TELL = `
  const kind = ({ get, value }) => get ? 'accessor' : typeof value === 'function' ? 'function/' + value.length : typeof value;
  const OF_FUNCTIONS = ['name', 'length', 'prototype', 'arguments', 'caller'];
  const all = (object, end) => {
    const found = {};
    for (let at = object; at && at !== end && at !== Object.prototype && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
      for (const key of Reflect.ownKeys(at)) if (!OF_FUNCTIONS.includes(key)) found[String(key)] ??= kind(Object.getOwnPropertyDescriptor(at, key));
    }
    return found;
  };
  const { EventEmitter } = process.getBuiltinModule?.('events') ?? require('events');
  const shape = (value) => typeof value !== 'function' ? { type: typeof value } : {
    type: 'function', name: value.name, length: value.length,
    statics: all(value, Function.prototype),
    members: /^class|\\.prototype\\./.test(Function.prototype.toString.call(value)) || Object.keys(value.prototype ?? {}).length > 0
      ? all(value.prototype, EventEmitter.prototype) : {},
  };
  const tell = (module) => {
    const names = new Set(Object.keys(all(module)));
    console.log(JSON.stringify(Object.fromEntries([...names].map((name) => [name, shape(module[name])]))));
  };`;

const WAYS = {
  require: (specifier: string) => ['-e', `${TELL} tell(require('${specifier}'))`],
  'require of the CommonJS build': (specifier: string) => [
    '--no-experimental-require-module',
    '-e',
    `${TELL} tell(require('${specifier}'))`,
  ],
  import: (specifier: string) => ['-e', `${TELL} import('${specifier}').then(tell)`],
  'the default of import': (specifier: string) => ['-e', `${TELL} import('${specifier}').then((m) => tell(m.default))`],
} as const;

async function shapes(way: keyof typeof WAYS, specifier: string): Promise<Shapes> {
  // Node 20.9 does not know the flag, and needs none.
  const args = WAYS[way](specifier).filter(
    (arg) => process.allowedNodeEnvironmentFlags.has(arg) || !arg.startsWith('--'),
  );
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout) as Shapes;
}

function differences(stock: Shapes, ours: Shapes): string[] {
  const found: string[] = [];
  for (const [name, theirs] of Object.entries(stock)) {
    const own = ours[name];
    if (own === undefined) found.push(`${name}: missing`);
    for (const key of ['type', 'name', 'length'] as const) {
      if (own !== undefined && own[key] !== theirs[key]) found.push(`${name}: ${key} ${own[key]}, not ${theirs[key]}`);
    }
    for (const part of ['statics', 'members'] as const) {
      for (const [member, kind] of Object.entries(theirs[part] ?? {})) {
        const is = own?.[part]?.[member];
        if (is !== kind) found.push(`${name} ${part}: ${member} ${is}, not ${kind}`);
      }
    }
  }
  return found;
}

describe.each([
  ['pg', 'eip-pool/pg'],
  ['mysql2', 'eip-pool/mysql2'],
  ['mysql2/promise', 'eip-pool/mysql2/promise'],
  ['generic-pool', 'eip-pool/generic-pool'],
])('in the place of %s, %s', (stock, ours) => {
  it.each(Object.keys(WAYS) as (keyof typeof WAYS)[])(
    'has each export, static and member of it: by %s',
    async (way) => {
      expect(differences(await shapes(way, stock), await shapes(way, ours))).toEqual([]);
    },
  );
});
