import type * as mysql from 'mysql2';
import type { Clock } from '../clock.js';
import { lostSession } from '../failover/repeat.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { noteAnswer } from '../outcome/outcome.js';
import { isSingleStatement } from '../outcome/statement.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { LostSession } from '../sockets/uptime.js';
import { isTimeOut } from './driver-words.js';
import {
  type Command,
  isEnded,
  isOnlyPrepared,
  onFailure,
  type ResultCallback,
  socketBelow,
  standsOn,
  textOf,
} from './internals.js';
import { askRole, isRoleQuestion } from './role.js';
import { isServerError } from './server-errors.js';

export interface StatementSide<C> {
  readonly clock: Clock;
  /** The server is being asked what its refusal of a statement meant. */
  asking(): void;
  /** The server refused a statement because it is read-only, and says that it is. */
  readOnly(connection: C, error: Error): void;
  /** Its caller released it while the server was being asked. */
  release(connection: C): void;
}

interface Refused {
  readonly error: Error;
  readonly statement: string;
}

/** Looks after the statements on connections, whoever runs them. */
export class Statements<C extends mysql.Connection> {
  readonly #side: StatementSide<C>;
  /** Connections whose server is being asked for its role, so many times; was it released meanwhile? */
  readonly #asking: Map<C, { times: number; released: boolean }> = new Map();
  readonly #lostWith: WeakMap<Error, LostSession> = new WeakMap();

  constructor(side: StatementSide<C>) {
    this.#side = side;
  }

  /** The session in which the statement ran that was lost with this error; null if it was given to no connection. */
  lostWith(error: Error): LostSession | null {
    return this.#lostWith.get(error) ?? null;
  }

  watch(connection: C, socket: TrackedSocket): void {
    standsOn(connection, socket);
    onFailure(connection, {
      failing: (command, error) => {
        if (isServerError(error)) noteAnswer(error, statementOf(command));
      },
      failed: (command, told, error) => {
        if (told === undefined) endIfTimedOut(command, error);
        else this.failed(connection, command, told, error);
      },
    });
  }

  /** For whoever runs statements internally: the command failed, and `told` has not been told. */
  failed(connection: C, command: Command, told: ResultCallback, error: NodeJS.ErrnoException): void {
    const socket = socketBelow(connection);
    // Whoever runs it may ask where it ran, though the connection is closed by then.
    const lost =
      socket !== undefined && isOfConnection(connection, error)
        ? lostSession(socket, isServerError(error), this.#side.clock.now())
        : null;
    if (lost !== null) this.#lostWith.set(error, lost);
    this.#failed(connection, command, told, error);
  }

  /** Is any server asked what its refusal meant? */
  get isAsking(): boolean {
    return this.#asking.size > 0;
  }

  /** A release while the server is being asked; it follows the answer. */
  holds(connection: C): boolean {
    const asking = this.isAsking ? this.#asking.get(connection) : undefined;
    if (asking === undefined) return false;
    asking.released = true;
    return true;
  }

  #failed(connection: C, command: Command, told: ResultCallback, error: NodeJS.ErrnoException): void {
    const statement = statementOf(command);
    noteAnswer(error, statement);
    const ran = !isOnlyPrepared(command) && !isRoleQuestion(command);
    if (ran && statement !== undefined && isMaybeReadOnly(error) && isSingleStatement(statement, 'mysql')) {
      return this.#confirm(connection, { error, statement }, () => told(error));
    }
    told(error);
    endIfTimedOut(command, error);
  }

  /** Design, pools rule 4: only the server's role tells what such a refusal means. Its own connection is asked. */
  #confirm(connection: C, { error, statement }: Refused, tell: () => void): void {
    const asking = this.#asking.get(connection) ?? { times: 0, released: false };
    asking.times++;
    this.#asking.set(connection, asking);
    this.#side.asking();
    askRole(connection, (_, readOnly) => {
      if (--asking.times === 0) this.#asking.delete(connection);
      if (readOnly) {
        noteAnswer(error, statement, true);
        this.#side.readOnly(connection, error);
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

function statementOf(command: Command): string | undefined {
  const text = textOf(command);
  return typeof text === 'string' ? text : undefined;
}

/** A type cast that throws ends its connection too, and says nothing of the server's. */
function isOfConnection(connection: mysql.Connection, error: NodeJS.ErrnoException): boolean {
  return isEnded(connection) || isServerError(error) || error.syscall !== undefined || isTimeOut(error);
}

/**
 * mysql2 ends a statement that timed out when the server replies, which it may never do. Whoever waits for that end to
 * give the connection back, a pool or a cluster, is told now; a lease stays its caller's.
 */
function endIfTimedOut(command: Command, error: NodeJS.ErrnoException): void {
  if (!isTimeOut(error)) return;
  command.emit('end');
  // What the server says after all is nobody's.
  for (const event of ['fields', 'result', 'end']) command.removeAllListeners(event);
}
