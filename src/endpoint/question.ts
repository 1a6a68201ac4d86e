import type { Clock, Timer } from '../clock.js';
import { EipPoolError } from '../errors.js';
import type { Answer, Resolver } from './answer.js';
import { readResolution } from './answer.js';
import { untilAborted } from './resolvers/dns.js';

interface Bounds {
  readonly clock: Clock;
  readonly timeoutMillis: number;
  readonly awaited: boolean;
  readonly signal: AbortSignal;
}

/**
 * Asks one resolver once, for no longer than the deadline, whatever the resolver does with its signal.
 * `awaited`: a caller waits for it, so the process must stay alive.
 */
export async function askOnce(resolver: Resolver, name: string, bounds: Bounds): Promise<Answer> {
  const { clock, timeoutMillis, signal } = bounds;
  signal.throwIfAborted();
  const deadline = new AbortController();
  const both = AbortSignal.any([deadline.signal, signal]);
  const late = (): void =>
    deadline.abort(
      new EipPoolError('LOOKUP_TIMEOUT', `${name}: ${resolver.name} gave no answer within ${timeoutMillis} ms`),
    );
  const timer = arm(resolver, bounds, late);
  try {
    const resolution = await new Promise<Awaited<ReturnType<Resolver['resolve']>>>((resolve, reject) => {
      both.addEventListener('abort', () => reject(both.reason as Error), { once: true });
      // In a function of its own, so that a resolver that throws is one that rejects.
      (async () => await resolver.resolve(name, both))().then(resolve, reject);
    });
    return readResolution(resolution, name, resolver.name, clock.now());
  } catch (error) {
    throw both.aborted ? both.reason : error;
  } finally {
    clock.clear(timer);
  }
}

/** The CNAME chain of a name, for the reader of a message: a list in time, whatever the resolver does. */
export async function askChain(resolver: Resolver, name: string, bounds: Bounds): Promise<readonly string[]> {
  const deadline = new AbortController();
  const both = AbortSignal.any([deadline.signal, bounds.signal]);
  const timer = arm(resolver, bounds, () => deadline.abort());
  try {
    const chain: unknown = await untilAborted(Promise.resolve(resolver.chain?.(name, both)), both);
    return Array.isArray(chain) ? chain.filter((alias) => typeof alias === 'string') : [];
  } catch {
    return [];
  } finally {
    bounds.clock.clear(timer);
  }
}

function arm(resolver: Resolver, { clock, timeoutMillis, awaited }: Bounds, late: () => void): Timer | undefined {
  if (resolver.keepsTime === true) return undefined;
  return awaited ? clock.setAwaited(late, timeoutMillis) : clock.set(late, timeoutMillis);
}
