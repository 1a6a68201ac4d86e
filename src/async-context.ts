import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/**
 * Node runs what a socket or a timer tells in the async context of whoever made it, and what one caller's release hands
 * to another one in the context of the first. Connections are shared, so without care one request's code would run in
 * another one's context, and what it begins there would become a part of the other's transaction.
 *
 * Hence: a caller's callback runs in the context in which it was given; what is made for all callers, in nobody's.
 * Promises need none of it: what awaits one keeps its own context.
 */

/** One transaction's function, or a nested one's, and what is around it: functions of transactions of any pool. */
interface Inside {
  readonly pool: object;
  /** Null once the function has ended: what it left running must not keep the rest of it in memory. */
  scope: object | null;
  readonly around: Inside | undefined;
}

const KEY: unique symbol = Symbol.for('eip-pool.inside') as never;
/** One for all loaded copies of this library, since one copy's socket may be made in a function of another one's. */
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Inside | undefined> };
const inside: AsyncLocalStorage<Inside | undefined> = (shared[KEY] ??= new AsyncLocalStorage());

/** Inside of which functions of one pool's transactions a call is made. */
export class Surroundings<Scope extends object> {
  /** Runs a transaction's function. */
  async within<T>(scope: Scope, fn: () => Promise<T>): Promise<T> {
    const here: Inside = { pool: this, scope, around: inside.getStore() };
    try {
      return await inside.run(here, fn);
    } finally {
      here.scope = null;
    }
  }

  /** The innermost one that has not ended. */
  get scope(): Scope | null {
    for (let here = inside.getStore(); here !== undefined; here = here.around) {
      if (here.pool === this && here.scope !== null) return here.scope as Scope;
    }
    return null;
  }
}

/** That of the caller as it is, except that it is inside of no transaction: for a socket that the caller makes to keep. */
export function callersContext(): AsyncResource {
  return inside.getStore() === undefined
    ? new AsyncResource('eip-pool.caller')
    : inside.run(undefined, () => new AsyncResource('eip-pool.caller'));
}

/** That in which the application loaded this library. */
const nobodys: AsyncResource = callersContext();

/** Runs it in nobody's context: sockets, timers, events, whatever outlives the call that happens to cause it. */
export function inNobodysContext<A extends unknown[], T>(fn: (...args: A) => T, ...args: A): T {
  return nobodys.runInAsyncScope(fn, undefined, ...args);
}

/** Whether the code that runs now is a driver's or ours: a callback that it gives is no caller's, and needs no context. */
let internal = false;

/**
 * The callback of a caller, who gives it now: whoever calls it, it runs in the caller's context. What is no function comes
 * back as it is, and so does a callback that is given {@link internally}.
 */
export function inCallersContext<F>(callback: F): F {
  if (typeof callback !== 'function' || internal) return callback;
  const caller = new AsyncResource('eip-pool.callback');
  const told = callback as unknown as (...args: unknown[]) => unknown;
  const run = function (this: unknown, ...args: unknown[]): unknown {
    return runFor(caller, told, this, args);
  };
  return run as unknown as F;
}

/** Who gives a callback now; null where that is a driver's or ours. For {@link tellCaller}, which makes no function. */
export function callerNow(): AsyncResource | null {
  return internal ? null : new AsyncResource('eip-pool.callback');
}

/** Runs a callback of this caller's, who is told of a statement: no array is made of what he is told. */
// oxlint-disable-next-line max-params
export function tellCaller<A, B, C>(
  caller: AsyncResource | null,
  told: (a: A, b: B, c: C) => unknown,
  a: A,
  b: B,
  c: C,
): void {
  if (caller === null) return void told(a, b, c);
  const before = internal;
  internal = false;
  try {
    caller.runInAsyncScope(told, undefined, a, b, c);
  } finally {
    internal = before;
  }
}

function runFor<A extends unknown[]>(
  caller: AsyncResource,
  told: (...args: A) => unknown,
  self: unknown,
  args: A,
): unknown {
  const before = internal;
  internal = false;
  try {
    return caller.runInAsyncScope(told, self, ...args);
  } finally {
    internal = before;
  }
}

/** Runs a driver's code or ours that gives callbacks of its own, which look after the caller's. */
export function internally<A extends unknown[], T>(fn: (...args: A) => T, ...args: A): T {
  const before = beginInternal();
  try {
    return fn(...args);
  } finally {
    endInternal(before);
  }
}

/** {@link internally}, for what every statement comes by: to {@link endInternal}, in a `finally`, with what it returns. */
export function beginInternal(): boolean {
  const before = internal;
  internal = true;
  return before;
}

export function endInternal(before: boolean): void {
  internal = before;
}

/** Runs an application's code in the midst of a driver's or ours. */
export function externally<T>(fn: () => T): T {
  const before = internal;
  internal = false;
  try {
    return fn();
  } finally {
    internal = before;
  }
}

/** Whether what is called back now is given {@link internally}. */
export function isInternal(): boolean {
  return internal;
}
