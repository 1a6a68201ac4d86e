import type { Clock } from '../clock.js';
import { EipPoolError } from '../errors.js';
import type { Answer, Resolver, ResolveHelp } from './answer.js';
import { readResolution } from './answer.js';

/**
 * Asks one resolver once, for no longer than the deadline, whatever the resolver does with its signal.
 * `awaited`: a caller waits for it, so the process must stay alive.
 */
export async function askOnce(
  resolver: Resolver,
  name: string,
  options: {
    readonly clock: Clock;
    readonly timeoutMillis: number;
    readonly awaited: boolean;
    readonly signal: AbortSignal;
    readonly help: (signal: AbortSignal) => ResolveHelp;
  },
): Promise<Answer> {
  const { clock, timeoutMillis, signal } = options;
  signal.throwIfAborted();
  // Not `AbortSignal.any`: the endpoint's signal lives as long as the process, and would keep every question's alive.
  const asking = new AbortController();
  const abort = (): void => asking.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const late = (): void =>
    asking.abort(
      new EipPoolError('LOOKUP_TIMEOUT', `${name}: ${resolver.name} gave no answer within ${timeoutMillis} ms`),
    );
  const timer =
    resolver.keepsTime === true
      ? undefined
      : options.awaited
        ? clock.setAwaited(late, timeoutMillis)
        : clock.set(late, timeoutMillis);
  try {
    const resolution = await new Promise<Awaited<ReturnType<Resolver['resolve']>>>((resolve, reject) => {
      asking.signal.addEventListener('abort', () => reject(asking.signal.reason as Error), { once: true });
      // In a function of its own, so that a resolver that throws is one that rejects.
      (async () => await resolver.resolve(name, asking.signal, options.help(asking.signal)))().then(resolve, reject);
    });
    return readResolution(resolution, name, resolver.name, clock.now());
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
