import { inNobodysContext } from '../async-context.js';
import type { Clock } from '../clock.js';
import { EipPoolError } from '../errors.js';
import type { Answer, Resolver, ResolveHelp } from './answer.js';
import { readResolution } from './answer.js';

/** How long a first answer may take, in times of `lookupTimeoutMillis`: while there is none, a late one is taken. */
export const FIRST_ANSWER_TIMES = 10;

interface Bounds {
  readonly clock: Clock;
  readonly timeoutMillis: number;
  /** A caller waits for it, so the process must stay alive. */
  readonly awaited: boolean;
  readonly signal: AbortSignal;
}

/** Asks one resolver once, for no longer than the deadline, whatever the resolver does with its signal. */
export async function askOnce(
  resolver: Resolver,
  name: string,
  bounds: Bounds,
  help: (signal: AbortSignal) => ResolveHelp,
): Promise<Answer> {
  const resolution = await inTime(resolver, name, bounds, (signal) => resolver.resolve(name, signal, help(signal)));
  return readResolution(resolution, name, resolver.name, bounds.clock.now());
}

/** The CNAME chain of a name, for the reader of a message: a list in time, whatever the resolver does. */
export async function askChain(resolver: Resolver, name: string, bounds: Bounds): Promise<readonly string[]> {
  if (resolver.chain === undefined) return [];
  try {
    const chain: unknown = await inTime(resolver, name, bounds, async (signal) => await resolver.chain?.(name, signal));
    return Array.isArray(chain) ? chain.filter((alias) => typeof alias === 'string') : [];
  } catch {
    return [];
  }
}

async function inTime<T>(
  resolver: Resolver,
  name: string,
  { clock, timeoutMillis, awaited, signal }: Bounds,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  // Not `AbortSignal.any`: the endpoint's signal lives as long as the process, and would keep every question's alive.
  const asking = new AbortController();
  const abort = (): void => asking.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const late = (): void =>
    asking.abort(
      new EipPoolError(
        'LOOKUP_TIMEOUT',
        `${name}: ${resolver.name} gave no answer within ${timeoutMillis} ms (see follow.lookupTimeoutMillis)`,
      ),
    );
  const arm = awaited ? clock.setAwaited : clock.set;
  const timer = resolver.keepsTime === true ? undefined : arm.call(clock, late, timeoutMillis);
  try {
    return await new Promise<T>((resolve, reject) => {
      asking.signal.addEventListener('abort', () => reject(asking.signal.reason as Error), { once: true });
      // In a function of its own, so that a resolver that throws is one that rejects.
      inNobodysContext(async () => await ask(asking.signal)).then(resolve, reject);
    });
  } catch (error) {
    throw asking.signal.aborted ? asking.signal.reason : asError(error, resolver.name);
  } finally {
    clock.clear(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** A resolver of the user's may reject with anything. */
function asError(error: unknown, source: string): Error {
  return error instanceof Error ? error : new EipPoolError('NO_ADDRESS', `${source} failed with ${String(error)}`);
}
