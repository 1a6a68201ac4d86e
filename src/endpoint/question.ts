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
  const deadline = new AbortController();
  const both = AbortSignal.any([deadline.signal, signal]);
  const late = (): void =>
    deadline.abort(
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
      both.addEventListener('abort', () => reject(both.reason as Error), { once: true });
      // In a function of its own, so that a resolver that throws is one that rejects.
      (async () => await resolver.resolve(name, both, options.help(both)))().then(resolve, reject);
    });
    return readResolution(resolution, name, resolver.name, clock.now());
  } catch (error) {
    throw both.aborted ? both.reason : error;
  } finally {
    clock.clear(timer);
  }
}
