import type * as mysql from 'mysql2';
import type { Address } from '../endpoint/address.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { noteOutcome } from '../outcome/outcome.js';
import { isSingleStatement } from '../outcome/statement.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { isTimeOut } from './driver-words.js';
import { type Command, onFailure, type ResultCallback } from './internals.js';
import { askRole } from './role.js';

export interface StatementSide<C> {
  /** The server refused a statement because it is read-only, and says that it is. */
  readOnly(connection: C, error: Error): void;
  /** Its caller released it while the server was being asked. */
  release(connection: C): void;
}

/** Looks after the statements on connections, whoever runs them. */
export class Statements<C extends mysql.Connection> {
  readonly #side: StatementSide<C>;
  /** Connections whose server is being asked for its role, so many times; was it released meanwhile? */
  readonly #asking: Map<C, { times: number; released: boolean }> = new Map();
  readonly #ranOn: WeakMap<Error, Address> = new WeakMap();

  constructor(side: StatementSide<C>) {
    this.#side = side;
  }

  /** Where the statement ran that failed with this error; null if it was given to no connection. */
  ranOn(error: Error): Address | null {
    return this.#ranOn.get(error) ?? null;
  }

  watch(connection: C, socket: TrackedSocket): void {
    onFailure(connection, (command, told, error) => {
      if (told === undefined) return endIfTimedOut(command, error);
      // Whoever runs it may ask where it ran, though the connection is closed by then.
      if (socket.dialledAddress !== null) this.#ranOn.set(error, socket.dialledAddress);
      this.#failed(connection, command, told, error);
    });
  }

  /** A release while the server is being asked; it follows the answer. */
  holds(connection: C): boolean {
    const asking = this.#asking.size === 0 ? undefined : this.#asking.get(connection);
    if (asking === undefined) return false;
    asking.released = true;
    return true;
  }

  #failed(connection: C, command: Command, told: ResultCallback, error: NodeJS.ErrnoException): void {
    // A statement that is only prepared has no effect, and its execution is called off in this very turn.
    if (typeof command.sql === 'string' && isMaybeReadOnly(error) && isSingleStatement(command.sql, 'mysql')) {
      return this.#confirm(connection, error, () => told(error));
    }
    told(error);
    endIfTimedOut(command, error);
  }

  /** Design, pools rule 4: only the server's role tells what such a refusal means. Its own connection is asked. */
  #confirm(connection: C, refusal: Error, tell: () => void): void {
    const asking = this.#asking.get(connection) ?? { times: 0, released: false };
    asking.times++;
    this.#asking.set(connection, asking);
    askRole(connection, (_, readOnly) => {
      if (--asking.times === 0) this.#asking.delete(connection);
      if (readOnly) {
        noteOutcome(refusal, 'rejected');
        this.#side.readOnly(connection, refusal);
      }
      try {
        // mysql2 destroys the connection now, if the statement was its pool's; only then may others have it.
        tell();
      } finally {
        if (asking.released && asking.times === 0) this.#side.release(connection);
      }
    });
  }
}

/**
 * mysql2 ends a statement that timed out when the server replies, which it may never do. Whoever waits for that end to
 * give the connection back, a pool or a cluster, is told now; a lease stays its caller's.
 */
function endIfTimedOut(command: Command, error: NodeJS.ErrnoException): void {
  if (isTimeOut(error)) command.emit('end');
}
