import { EventEmitter } from 'node:events';

/** A client that connects to nothing, so that only the pool's own work is left. */
export class NoopClient extends EventEmitter {
  /** pg-pool keeps only clients that say so. */
  readonly _queryable: boolean = true;

  connect(callback: (error?: Error) => void): void {
    process.nextTick(callback);
  }

  end(callback?: () => void): void {
    process.nextTick(() => {
      this.emit('end');
      callback?.();
    });
  }
}
