import type { AsyncResource } from 'node:async_hooks';
import type pg from 'pg';
import { tellCaller } from '../async-context.js';
import type { Release } from './driver-words.js';
import type { PendingItem } from './internals.js';
import type { Done, Given } from './replayer.js';

/** Runs the statement on this client as pg-pool would, and gives the client back. */
export type Begin = (given: Given, client: pg.PoolClient, release: Release, done: Done) => void;

/**
 * A statement of `pool.query` that waits for a server. In an outage there are very many: each is one object, and what
 * pg-pool makes for it is made once there is a client.
 */
export class WaitingStatement implements PendingItem, Given {
  readonly text: unknown;
  readonly values: unknown;
  readonly #begin: Begin;
  readonly #told: Done;
  readonly #caller: AsyncResource | null;
  turn?: number;
  place?: PendingItem['place'];
  deadline?: unknown;
  timedOut?: boolean;

  /** @param caller in whose context it is told; null for whoever awaits it */
  constructor({ text, values }: Given, begin: Begin, told: Done, caller: AsyncResource | null) {
    this.text = text;
    this.values = values;
    this.#begin = begin;
    this.#told = told;
    this.#caller = caller;
  }

  callback(error: Error | undefined, client: pg.PoolClient | undefined, release: Release): void {
    if (client === undefined) this.#tell(error);
    else this.#begin(this, client, release, (failure, answer) => this.#tell(failure, answer));
  }

  #tell(error: Error | undefined, answer?: unknown): void {
    tellCaller(this.#caller, this.#told, error, answer, undefined);
  }
}
