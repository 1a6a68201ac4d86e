/** What stands in the place of a driver's module: its exports, with some replaced by what follows a name. */

/**
 * The module's exports with some replaced, which are called as what they stand for. What the module makes only when it is
 * asked for, it still makes then, and once.
 */
export function withOverrides<M extends object>(module: M, overrides: object): M {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(overrides))) {
    const stock = typeof value === 'function' ? (Reflect.get(module, name) as unknown) : null;
    if (typeof stock === 'function') named(value as () => unknown, stock);
  }
  const own = Object.getOwnPropertyDescriptors(module) as Record<PropertyKey, PropertyDescriptor>;
  for (const key of Reflect.ownKeys(own)) {
    const { get, enumerable = false } = own[key]!;
    if (get === undefined) continue;
    own[key] = { get: () => Reflect.get(module, key) as unknown, enumerable, configurable: true };
  }
  return Object.create(Object.getPrototypeOf(module) as object, {
    ...own,
    ...Object.getOwnPropertyDescriptors(overrides),
  }) as M;
}

/**
 * What `require` gives where Node loads an ES module for it (its export 'module.exports'): a namespace has neither parts
 * that are made late, nor those whose names no ES module can tell. `ours`: exports that the driver does not have.
 */
export function forRequire<M extends object, O extends object>(module: M, ours: O): M & O {
  const extra = { ...ours, default: module, __esModule: true };
  const hidden = Object.entries(extra).map(([name, value]) => [name, { value, writable: true, configurable: true }]);
  return withOverrides(module, Object.defineProperties({}, Object.fromEntries(hidden) as PropertyDescriptorMap)) as M &
    O;
}

/** On a module of a driver in whose place `eip-pool/register` put what follows: the module itself, for every copy of us. */
const STOCK: unique symbol = Symbol.for('eip-pool.stock') as never;

/** The module's exports with some replaced, for everybody who loads it. */
export function hooked<M extends object>(module: M, overrides: object): M {
  return Object.defineProperty(withOverrides(module, overrides), STOCK, { value: module });
}

/** The driver's own module, whether or not something of ours stands in its place already. */
export function unhooked<M extends object>(module: M): M {
  return (module as { readonly [STOCK]?: M })[STOCK] ?? module;
}

/** Is called, in stacks and by whoever asks, as what it stands for. */
export function named<F extends (...args: never[]) => unknown>(fn: F, stock: { name: string; length: number }): F;
export function named<C extends abstract new (...args: never[]) => unknown>(
  constructor: C,
  stock: { name: string; length: number },
): C;
export function named(fn: object, { name, length }: { name: string; length: number }): object {
  return Object.defineProperties(fn, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
}
