import diagnosticsChannel from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { inNobodysContext } from './async-context.js';
import { messageOf } from './errors.js';

/**
 * An emitter whose listeners cannot hurt the process: what a listener throws, or rejects with, becomes a
 * process warning. Each event is also published on the `node:diagnostics_channel` `eip-pool:EVENT`.
 */
export class SafeEmitter<E extends Record<keyof E, [payload: object]>> extends EventEmitter {
  override on<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    return super.on(event, listener as (...args: unknown[]) => void);
  }

  override once<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    return super.once(event, listener as (...args: unknown[]) => void);
  }

  override off<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    return super.off(event, listener as (...args: unknown[]) => void);
  }

  /** Tells listeners and channel subscribers; the payload is made only if there is one of them. */
  protected announce<K extends keyof E & string>(event: K, subject: string, make: () => E[K][0]): void {
    const channel = diagnosticsChannel.channel(`eip-pool:${event}`);
    const listeners = this.rawListeners(event);
    if (listeners.length === 0 && !channel.hasSubscribers) return;
    const payload = make();
    // Whoever's call happens to bring it about.
    inNobodysContext(() => {
      for (const listener of listeners) this.#tell(event, listener, payload);
      if (channel.hasSubscribers) channel.publish({ endpoint: subject, ...payload });
    });
  }

  #tell(event: string, listener: unknown, payload: object): void {
    try {
      const returned: unknown = Reflect.apply(listener as () => unknown, this, [payload]);
      if (returned instanceof Promise) returned.catch((error: unknown) => warn(event, error));
    } catch (error) {
      warn(event, error);
    }
  }
}

function warn(event: string, error: unknown): void {
  process.emitWarning(`a listener of the event '${event}' failed: ${messageOf(error)}`, {
    type: 'EipPoolWarning',
    code: 'EIP_POOL_LISTENER',
    ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}),
  });
}
