import { systemClock } from '../clock.js';
import { EipPoolError } from '../errors.js';

/** What the work comes to, unless it takes longer than this; it is not stopped then, only waited for no more. */
export async function within<T>(millis: number, who: string, work: Promise<T>): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const timer = systemClock.setAwaited(
      () => reject(new EipPoolError('LOOKUP_TIMEOUT', `${who} gave no answer within ${millis} ms`)),
      millis,
    );
    work.then(resolve, reject).finally(() => systemClock.clear(timer));
  });
}
