import type pg from 'pg';
import type { EventEmitter } from 'node:events';
import { inCallersContext, isInternal } from '../async-context.js';

type Query = (this: unknown, config: unknown, values?: unknown, callback?: unknown) => unknown;

interface Queryable {
  readonly query: Query;
}

const BOUND: WeakSet<object> = new WeakSet();

/** From now on a client, or all of a class, tell a query's callback in its caller's context, whoever made the socket. */
export function bindQueries(target: pg.ClientBase): void {
  const { query: now } = target as unknown as Queryable;
  if (BOUND.has(now)) return;
  const parent = Object.getPrototypeOf(target) as Queryable;
  const own = Object.hasOwn(target, 'query') ? now : null;
  const value: Query = function (config, values, callback) {
    // What is inherited may be replaced later, as tracing libraries do.
    const stock = own ?? parent.query;
    if (isInternal()) return stock.call(this, config, values, callback);
    const bound = typeof config === 'object' && config !== null ? withCallbacks(config) : config;
    if (typeof values === 'function') return stock.call(this, bound, inCallersContext(values));
    if (typeof callback === 'function') return stock.call(this, bound, values, inCallersContext(callback));
    return stock.call(this, bound, values, callback);
  };
  BOUND.add(value);
  Object.defineProperty(target, 'query', { value, writable: true, configurable: true });
}

interface Config {
  readonly callback?: unknown;
  readonly submit?: unknown;
}

/** A config may bring its callback along; a query of pg's own, a cursor or a stream is the caller's object, and stays it. */
function withCallbacks(config: Config): object {
  bindSubmittable(config);
  if (typeof config.submit === 'function' || typeof config.callback !== 'function') return config;
  const bound = { value: inCallersContext(config.callback), writable: true, enumerable: true, configurable: true };
  return Object.create(config, { callback: bound }) as object;
}

interface Submittable extends Partial<Pick<EventEmitter, 'emit'>> {
  readonly submit?: unknown;
  callback?: unknown;
  read?: (...args: unknown[]) => unknown;
  close?: (...args: unknown[]) => unknown;
  readonly pipe?: unknown;
}

/** Of a query of pg's own its callback and its listeners, of a cursor what is told of each read. */
export function bindSubmittable(submittable: Submittable): void {
  if (typeof submittable.submit !== 'function' || BOUND.has(submittable)) return;
  BOUND.add(submittable);
  if (typeof submittable.callback === 'function') submittable.callback = inCallersContext(submittable.callback);
  if (typeof submittable.emit === 'function') submittable.emit = inCallersContext(submittable.emit);
  if (submittable.pipe !== undefined) return;
  for (const name of ['read', 'close'] as const) {
    const stock = submittable[name];
    if (typeof stock !== 'function') continue;
    submittable[name] = function (...args) {
      return stock.apply(this, args.map(inCallersContext));
    };
  }
}
