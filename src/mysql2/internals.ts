import { tracingChannel } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type * as mysql from 'mysql2';

/**
 * Every private member of mysql2 that this adapter touches, in one place; test/mysql2/internals.test.ts says what
 * breaks if one goes. Measured with mysql2 3.24.
 */

export type GetCallback = (error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection) => void;

/** What mysql2 exports and its types do not tell. */
export interface Driver {
  readonly Pool: new (options: { config: PoolSettings }) => mysql.Pool;
  readonly PoolCluster: new (config?: mysql.PoolClusterOptions) => mysql.PoolCluster;
  readonly Connection: {
    readonly prototype: mysql.Connection;
    createQuery(sql: unknown, values: unknown, told: ResultCallback, settings: ConnectionSettings): mysql.Query;
  };
  createPool(options: mysql.PoolOptions): mysql.Pool;
  createConnection(options: mysql.ConnectionOptions): mysql.Connection;
}

/** A connection's options as mysql2 has read them. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string;
  readonly ssl: false | { readonly verifyIdentity?: boolean; readonly rejectUnauthorized?: boolean };
  readonly enableKeepAlive: boolean;
  readonly keepAliveInitialDelay?: number;
  readonly queryFormat?: unknown;
  readonly namedPlaceholders?: boolean;
  connectTimeout: number;
  stream?: unknown;
}

/** What `pool.config` really is. */
export interface PoolSettings {
  readonly connectionConfig: ConnectionSettings;
  readonly connectionLimit: number;
  readonly waitForConnections: boolean;
  /** How many callers may wait; 0 for any number. */
  readonly queueLimit: number;
}

interface Ring<T> {
  readonly length: number;
  get(index: number): T | undefined;
  push(item: T): void;
  unshift(item: T): void;
  shift(): T | undefined;
  removeOne(index: number): void;
}

interface PoolPrivate {
  readonly config: PoolSettings;
  readonly _closed: boolean;
  readonly _allConnections: Ring<mysql.PoolConnection>;
  readonly _freeConnections: Ring<mysql.PoolConnection>;
  readonly _connectionQueue: Ring<GetCallback>;
}

export type ResultCallback = (error: NodeJS.ErrnoException | null, rows?: unknown, fields?: unknown) => void;

/** A command on its way: a handshake, a statement. */
export interface Command extends EventEmitter {
  onResult?: ResultCallback | undefined;
  /** Of a statement that is run, also of one that was prepared. */
  readonly sql?: unknown;
  /** Of one that is being prepared. */
  readonly query?: unknown;
  readonly timeout?: number;
  readonly queryTimeout?: unknown;
  readonly next?: unknown;
}

interface Packet {
  isError(): boolean;
}

interface Parser {
  onPacket: (packet: Packet) => void;
}

interface ConnectionPrivate {
  readonly stream: unknown;
  _pool?: mysql.Pool | null;
  readonly _command: Command | null | undefined;
  readonly _commands: Ring<Command>;
  readonly packetParser: Parser;
  /** Of a compressed connection, what parses what is inside. */
  readonly _inflatedPacketsParser?: Parser;
  handlePacket(packet: Packet): void;
  addCommand(command: Command): Command;
  _notifyError(error: Error): void;
}

function priv(pool: mysql.Pool): PoolPrivate {
  return pool as unknown as PoolPrivate;
}

function inner(connection: mysql.Connection): ConnectionPrivate {
  return connection as unknown as ConnectionPrivate;
}

export function settingsOf(pool: mysql.Pool): PoolSettings {
  return priv(pool).config;
}

export function isClosed(pool: mysql.Pool): boolean {
  return priv(pool)._closed;
}

export function counts(pool: mysql.Pool): { readonly total: number; readonly idle: number; readonly waiting: number } {
  const own = priv(pool);
  return {
    total: own._allConnections.length,
    idle: own._freeConnections.length,
    waiting: own._connectionQueue.length,
  };
}

export function waitingCount(pool: mysql.Pool): number {
  return priv(pool)._connectionQueue.length;
}

export function newestConnection(pool: mysql.Pool): mysql.PoolConnection | undefined {
  const { _allConnections: all } = priv(pool);
  return all.get(all.length - 1);
}

export function hasFree(pool: mysql.Pool): boolean {
  return priv(pool)._freeConnections.length > 0;
}

/** Is there room for no further connection? */
export function isFull(pool: mysql.Pool): boolean {
  const { config, _allConnections: all } = priv(pool);
  return config.connectionLimit !== 0 && all.length >= config.connectionLimit;
}

export function isFree(pool: mysql.Pool, connection: mysql.PoolConnection): boolean {
  return indexIn(priv(pool)._freeConnections, connection) >= 0;
}

/** False for one that was removed, or that {@link takeOut} took out. */
export function isMember(pool: mysql.Pool, connection: mysql.PoolConnection): boolean {
  return indexIn(priv(pool)._allConnections, connection) >= 0;
}

/** Has the driver itself removed it? Its release then only makes room. */
export function isRemoved(connection: mysql.PoolConnection): boolean {
  return inner(connection)._pool == null;
}

/** Out of the pool without closing it: its place is free at once, and nobody gets it any more. */
export function takeOut(pool: mysql.Pool, connection: mysql.PoolConnection): void {
  for (const ring of [priv(pool)._allConnections, priv(pool)._freeConnections]) {
    const index = indexIn(ring, connection);
    if (index >= 0) ring.removeOne(index);
  }
}

/** Connections that `end()` says goodbye to, though they have left the pool. */
export function putBack(pool: mysql.Pool, connections: Iterable<mysql.PoolConnection>): void {
  for (const connection of connections) priv(pool)._allConnections.push(connection);
}

/** What was put last into the queue of callers; with tracing on, it wraps the callback that was given. */
export function newestWaiting(pool: mysql.Pool): GetCallback | undefined {
  const { _connectionQueue: queue } = priv(pool);
  return queue.get(queue.length - 1);
}

export function waiting(pool: mysql.Pool): GetCallback[] {
  const { _connectionQueue: queue } = priv(pool);
  return Array.from({ length: queue.length }, (_, index) => queue.get(index)!);
}

/** The caller comes into the queue behind as many as `place` says. */
export function queueAt(pool: mysql.Pool, place: number, callback: GetCallback): void {
  const { _connectionQueue: queue } = priv(pool);
  if (place === 0) {
    queue.unshift(callback);
    return;
  }
  const behind: GetCallback[] = [];
  while (queue.length > place) {
    behind.push(queue.get(place)!);
    queue.removeOne(place);
  }
  for (const each of [callback, ...behind]) queue.push(each);
}

/** Each caller in the queue under another callback. */
export function replaceWaiting(pool: mysql.Pool, replace: (callback: GetCallback) => GetCallback): void {
  const { _connectionQueue: queue } = priv(pool);
  for (let left = queue.length; left > 0; left--) queue.push(replace(queue.shift()!));
}

const TRACED = tracingChannel('mysql2:pool:connect');

/**
 * The caller comes to the end of the queue, as with `getConnection` of a full pool, which makes three functions on the
 * way. False where that would do something else as well.
 */
export function queueLast(pool: mysql.Pool, callback: GetCallback): boolean {
  const { config, _closed: closed, _connectionQueue: queue } = priv(pool);
  if (closed || !config.waitForConnections || config.queueLimit !== 0 || TRACED.hasSubscribers) return false;
  pool.emit('enqueue');
  queue.push(callback);
  return true;
}

export function unqueue(pool: mysql.Pool, callback: GetCallback): void {
  const { _connectionQueue: queue } = priv(pool);
  const index = indexIn(queue, callback);
  if (index >= 0) queue.removeOne(index);
}

/** Takes the callers for whom there is a connection, or room for one, out of the queue, and hands each to `serve`. */
export function pulse(pool: mysql.Pool, serve: (callback: GetCallback) => void): void {
  const own = priv(pool);
  const { connectionLimit: limit } = own.config;
  const hasRoom = (): boolean => own._freeConnections.length > 0 || limit === 0 || own._allConnections.length < limit;
  for (let left = own._connectionQueue.length; left > 0 && hasRoom() && !own._closed; left--) {
    const next = own._connectionQueue.shift();
    if (next !== undefined) serve(next);
  }
}

/** A statement for whichever connection of the pool. */
export function createQuery(
  driver: Driver,
  pool: mysql.Pool,
  sql: unknown,
  values: unknown,
  told: ResultCallback,
): mysql.Query {
  const settings = settingsOf(pool).connectionConfig;
  const query = driver.Connection.createQuery(sql, values, told, settings);
  const own = query as { namedPlaceholders?: boolean | undefined };
  if (own.namedPlaceholders === undefined) own.namedPlaceholders = settings.namedPlaceholders;
  return query;
}

/** What failed, and whom to tell of it; nobody where the statement has no callback. */
export type OnFailure = (command: Command, told: ResultCallback | undefined, error: NodeJS.ErrnoException) => void;

/**
 * Calls `failed` for each statement that the server refuses, that times out, or whose connection is lost, in the place of
 * its callback; of one without, only where it has a time-out. Until then it costs a look at each packet. For a
 * connection that is logged in: only then is it known which parser its packets come from.
 */
export function onFailure(connection: mysql.Connection, failed: OnFailure): void {
  const own = connection as unknown as ConnectionPrivate;
  const { addCommand, _notifyError: notifyError } = own;
  const heard = new WeakSet<Command>();
  const listen = (command: Command): void => {
    if ((command.sql === undefined && command.query === undefined) || heard.has(command)) return;
    heard.add(command);
    const told = command.onResult;
    if (told !== undefined) {
      command.onResult = (error, rows, fields) =>
        error == null ? told(error, rows, fields) : failed(command, told, error);
    } else if (command.timeout) {
      command.once('error', (error: NodeJS.ErrnoException) => failed(command, undefined, error));
    }
  };
  const parser = own._inflatedPacketsParser ?? own.packetParser;
  parser.onPacket = (packet) => {
    if (packet.isError() && own._command != null) listen(own._command);
    own.handlePacket(packet);
  };
  own.addCommand = (command) => {
    if (command.timeout) listen(command);
    return addCommand.call(own, command);
  };
  own._notifyError = (error) => {
    if (own._command != null) listen(own._command);
    for (let index = 0; index < own._commands.length; index++) listen(own._commands.get(index)!);
    notifyError.call(own, error);
  };
}

/** Is a command on it that the server has not answered yet? */
export function isBusy(connection: mysql.Connection): boolean {
  const { _command, _commands } = inner(connection);
  return _command != null || _commands.length > 0;
}

/** mysql2 told the caller that his statement took too long, and goes on waiting for its reply. */
export function hasTimedOut(connection: mysql.Connection): boolean {
  const { _command } = inner(connection);
  return Boolean(_command?.timeout) && _command?.next != null && _command.queryTimeout === null;
}

/** What failed has been told to its caller once; a second time would be one too many. */
export function silence(connection: mysql.Connection): void {
  const { _command } = inner(connection);
  if (_command == null) return;
  if (_command.onResult === undefined) _command.removeAllListeners('error').on('error', () => {});
  else _command.onResult = () => {};
}

/** mysql2 tells an event-style or streamed query nothing of the end of its connection; this does. */
export function failStreaming(connection: mysql.Connection, error: Error): void {
  const { _command } = inner(connection);
  if (_command == null || _command.onResult !== undefined || _command.sql === undefined) return;
  if (_command.listenerCount('error') > 0) _command.emit('error', error);
  _command.emit('end');
}

/** The goodbye after what is already under way on it. `PoolConnection.end` only releases. */
export function quit(driver: Driver, connection: mysql.Connection): void {
  const end = driver.Connection.prototype.end as (this: mysql.Connection) => void;
  end.call(connection);
}

/** Is nothing to be had from it any more? */
export function isEnded(connection: mysql.Connection): boolean {
  return (inner(connection).stream as Socket).destroyed;
}

/** Ends it now, whatever runs on it; that fails with this error. Of a pool it is no member then. */
export function breakOff(connection: mysql.Connection, error: Error): void {
  (inner(connection).stream as Socket).destroy(error);
}

/** The cluster's nodes, whose pools it makes itself. */
export function nodesOf(cluster: mysql.PoolCluster): Record<string, { pool: mysql.Pool } | undefined> {
  return (cluster as unknown as { _nodes: Record<string, { pool: mysql.Pool } | undefined> })._nodes;
}

function indexIn<T>(ring: Ring<T>, item: T): number {
  for (let index = 0; index < ring.length; index++) if (ring.get(index) === item) return index;
  return -1;
}
