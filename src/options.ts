import { EipPoolError } from './errors.js';

/** Reads one option's value or throws; `name` is the option's full name for the message. */
export type Reader<T> = (value: unknown, name: string) => T;

/** One reader for each option, each of which applies its own default to `undefined`. */
export type Readers<T> = { readonly [K in keyof T]-?: Reader<T[K]> };

export function invalidOption(name: string, expected: string, got: unknown): EipPoolError {
  return new EipPoolError('INVALID_OPTION', `option ${name}: expected ${expected}, got ${show(got)}`);
}

/** Strings and objects may hold a secret, so only what names the mistake is shown of them. */
function show(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `a string of ${value.length} characters` : `'${value}'`;
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value);
  if (typeof value === 'bigint') return `${value}n (a bigint)`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Reads a whole options object: every known key through its reader, every unknown key an error that names the nearest. */
export function readOptions<T extends object>(readers: Readers<T>, input: unknown, where: string): T {
  if (input !== undefined && (typeof input !== 'object' || input === null || Array.isArray(input))) {
    throw invalidOption(where, 'an object', input);
  }
  const given = (input ?? {}) as Record<string, unknown>;
  const known = Object.keys(readers);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      throw new EipPoolError(
        'INVALID_OPTION',
        `option ${where}.${key}: no such option; did you mean ${where}.${nearest(key, known)}?`,
      );
    }
  }
  const out: Partial<T> = {};
  for (const key of known as (keyof T & string)[]) out[key] = readers[key](given[key], `${where}.${key}`);
  return Object.freeze(out) as T;
}

/** A duration in milliseconds. */
export function millis(defaultValue: number, min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return number(defaultValue, min, max, 'milliseconds');
}

export function number(defaultValue: number, min: number, max: number, unit?: string): Reader<number> {
  const what = unit === undefined ? 'a number' : `a number of ${unit}`;
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (typeof value !== 'number' || Number.isNaN(value) || value < min || value > max) {
      const range = max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw invalidOption(name, `${what} ${range}`, value);
    }
    return value;
  };
}

export function integer(defaultValue: number, min: number, max: number): Reader<number> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw invalidOption(name, `an integer from ${min} to ${max}`, value);
    }
    return value as number;
  };
}

export function boolean(defaultValue: boolean): Reader<boolean> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value);
    return value;
  };
}

export function oneOf<const T extends string | number>(defaultValue: T, values: readonly T[]): Reader<T> {
  return (value, name) => {
    if (value === undefined) return defaultValue;
    if (!values.includes(value as T)) {
      throw invalidOption(name, values.map((v) => (typeof v === 'string' ? `'${v}'` : v)).join(' or '), value);
    }
    return value as T;
  };
}

/** The known name with the smallest edit distance. */
export function nearest(key: string, known: readonly string[]): string {
  let best = known[0] ?? '';
  let bestDistance = Infinity;
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * A view of the options that somebody gave, with some keys replaced, or hidden where the change is undefined. All others
 * are read from the given object when they are asked for, and on that object: a copy by spread would lose what is not
 * enumerable, and the accessors of a class. What is written to the view stays in it.
 */
export function viewOf<T extends object>(given: T, changes: Readonly<Record<string, unknown>>): T {
  const hidden = new Set<PropertyKey>(Object.keys(changes).filter((key) => changes[key] === undefined));
  const own: Record<PropertyKey, unknown> = { ...changes };
  for (const key of hidden) delete own[key];
  const read = (key: PropertyKey): unknown => Reflect.get(given, key);
  return new Proxy(own, {
    get: (_, key) => (Object.hasOwn(own, key) ? own[key] : hidden.has(key) ? undefined : read(key)),
    set: (_, key, value) => ((own[key] = value), true),
    has: (_, key) => Object.hasOwn(own, key) || (!hidden.has(key) && Reflect.has(given, key)),
    getPrototypeOf: () => Object.getPrototypeOf(given) as object | null,
    ownKeys: () => [...new Set([...Reflect.ownKeys(given).filter((key) => !hidden.has(key)), ...Reflect.ownKeys(own)])],
    getOwnPropertyDescriptor: (_, key) => {
      const theirs =
        Object.hasOwn(own, key) || hidden.has(key) ? undefined : Reflect.getOwnPropertyDescriptor(given, key);
      if (theirs === undefined) return Reflect.getOwnPropertyDescriptor(own, key);
      return { value: read(key), enumerable: theirs.enumerable === true, configurable: true, writable: true };
    },
  }) as T;
}
