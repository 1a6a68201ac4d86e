import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** The application's own, as a request's id would be. */
export const request: AsyncLocalStorage<string> = new AsyncLocalStorage();

/** Runs what it is given in this request, from wherever it is called. */
export function requestOf(name: string): <T>(fn: () => T) => T {
  const own = request.run(name, () => new AsyncResource('test'));
  return (fn) => own.runInAsyncScope(fn);
}

/** In which request a callback was called. */
export async function told(start: (callback: () => void) => unknown): Promise<string | undefined> {
  return await new Promise((resolve) => start(() => resolve(request.getStore())));
}

/** In which requests the listeners of these events were called. */
export function heard(emitter: NodeJS.EventEmitter, events: readonly string[]): Map<string, Set<string | undefined>> {
  const seen = new Map<string, Set<string | undefined>>();
  for (const event of events) {
    emitter.on(event, () => {
      const requests = seen.get(event) ?? new Set();
      seen.set(event, requests.add(request.getStore()));
    });
  }
  return seen;
}
