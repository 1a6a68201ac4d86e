import { tracingChannel } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type * as mysql from 'mysql2';
import { inCallersContext, isInternal } from '../async-context.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/**
 * Every private member of mysql2 that this adapter touches, in one place; test/mysql2/internals.test.ts says what
 * breaks if one goes. Measured with mysql2 3.24.
 */

export type GetCallback = (error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection) => void;

/** A statement of the pool's own, which gets a connection for itself. */
export interface Leasing {
  /** What the callback of a `getConnection` would be told. */
  lease(...told: Parameters<GetCallback>): void;
  /** Takes a connection in the midst of what another statement on it comes to. */
  begin(connection: mysql.PoolConnection): void;
}

/** Who waits for a connection. */
export type Caller = GetCallback | Leasing;

export function callbackOf(caller: Caller): GetCallback {
  return typeof caller === 'function' ? caller : (error, connection) => caller.lease(error, connection);
}

/** There is a connection for the caller, or why there is none. */
export function tell(caller: Caller, error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection): void {
  if (typeof caller === 'function') caller(error, connection);
  else caller.lease(error, connection);
}

/** What mysql2 exports and its types do not tell. */
export interface Driver {
  readonly Pool: new (options: { config: PoolSettings }) => mysql.Pool;
  readonly PoolConnection: { readonly prototype: mysql.PoolConnection };
  readonly PoolCluster: new (config?: mysql.PoolClusterOptions) => mysql.PoolCluster;
  readonly ConnectionConfig: new (options: string | mysql.ConnectionOptions) => ConnectionSettings;
  readonly Connection: {
    new (options: { readonly config: ConnectionSettings }): mysql.Connection;
    readonly prototype: mysql.Connection;
    createQuery(sql: unknown, values: unknown, told: ResultCallback, settings: ConnectionSettings): mysql.Query;
  };
  createPool(options: string | mysql.PoolOptions): mysql.Pool;
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
  readonly database?: string;
  readonly clientFlags: number;
  connectTimeout: number;
  stream?: unknown;
  pool?: unknown;
}

/** What `pool.config` really is. */
export interface PoolSettings {
  readonly connectionConfig: ConnectionSettings;
  readonly connectionLimit: number;
  readonly waitForConnections: boolean;
  /** How many callers may wait; 0 for any number. */
  readonly queueLimit: number;
  readonly resetOnRelease?: boolean;
}

interface Ring<T> {
  readonly length: number;
  get(index: number): T | undefined;
  push(item: T): void;
  pop(): T | undefined;
  unshift(item: T): void;
  removeOne(index: number): void;
}

/** What mysql2 needs of the queue of callers. */
export interface CallerQueue {
  readonly length: number;
  push(caller: Caller): void;
  shift(): GetCallback | undefined;
}

interface PoolPrivate {
  _handleSuccessfulRelease(connection: mysql.PoolConnection): void;
  readonly config: PoolSettings;
  readonly _closed: boolean;
  readonly _allConnections: Ring<mysql.PoolConnection>;
  readonly _freeConnections: Ring<mysql.PoolConnection>;
  _connectionQueue: CallerQueue;
}

export type ResultCallback = (error: NodeJS.ErrnoException | null, rows?: unknown, fields?: unknown) => void;

/** A command on its way: a handshake, a statement. */
export interface Command extends EventEmitter {
  onResult?: ResultCallback | undefined;
  /** Of a statement that is run, also of one that was prepared. */
  readonly sql?: unknown;
  /** Of one that is being prepared. */
  readonly query?: unknown;
  /** What is run of one that was prepared by itself. */
  readonly statement?: { readonly query?: unknown } | undefined;
  readonly timeout?: number;
  readonly queryTimeout?: unknown;
  readonly next?: unknown;
}

interface ConnectionPrivate {
  readonly stream: unknown;
  _pool?: mysql.Pool | null;
  _released?: boolean;
  lastActiveTime?: number;
  readonly _command: Command | null | undefined;
  readonly _closing?: boolean;
  readonly _commands: Ring<Command>;
  addCommand(command: Command): Command;
  _notifyError(error: Error): void;
  readonly authorized: boolean;
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

/** A pool's options as mysql2 reads them: it exports no way to do so but to make a pool. */
export function readSettings(driver: Driver, options: string | mysql.PoolOptions): PoolSettings {
  const seed = driver.createPool(options);
  seed.end();
  return settingsOf(seed);
}

/** A connection with options that have been read before, on a socket of our own. */
export function connectOn(
  driver: Driver,
  settings: ConnectionSettings,
  stream: unknown,
  changes: Partial<ConnectionSettings>,
): mysql.Connection {
  // As mysql2's pools copy them: each connection may change its own.
  const prototype = Object.getPrototypeOf(settings) as object;
  const copy = Object.create(prototype, Object.getOwnPropertyDescriptors(settings)) as ConnectionSettings;
  return new driver.Connection({ config: Object.assign(copy, { ...changes, stream, pool: undefined }) });
}

export function isClosed(pool: mysql.Pool): boolean {
  return priv(pool)._closed;
}

export function counts(pool: mysql.Pool): { readonly total: number; readonly idle: number } {
  const { _allConnections: all, _freeConnections: free } = priv(pool);
  return { total: all.length, idle: free.length };
}

export function newestConnection(pool: mysql.Pool): mysql.PoolConnection | undefined {
  const { _allConnections: all } = priv(pool);
  return all.get(all.length - 1);
}

export function hasFree(pool: mysql.Pool): boolean {
  return priv(pool)._freeConnections.length > 0;
}

/** Calls this whenever a connection is idle again, with `resetOnRelease` once its server has answered; until it is called off. */
export function onReturned(pool: mysql.Pool, returned: () => void): () => void {
  const own: { _handleSuccessfulRelease?: (connection: mysql.PoolConnection) => void } = priv(pool);
  const stock = own._handleSuccessfulRelease!;
  own._handleSuccessfulRelease = (connection) => {
    stock.call(pool, connection);
    returned();
  };
  return () => delete own._handleSuccessfulRelease;
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

/** From now on the pool's callers wait in a queue of ours; returns mysql2's own. */
export function installQueue(pool: mysql.Pool, queue: CallerQueue): CallerQueue {
  const { _connectionQueue: stock } = priv(pool);
  priv(pool)._connectionQueue = queue;
  return stock;
}

const TRACED = tracingChannel('mysql2:pool:connect');

/**
 * The caller comes to the end of the queue, as with `getConnection` of a full pool, which makes three functions on the
 * way. False where that would do something else as well.
 */
export function queueLast(pool: mysql.Pool, caller: Caller): boolean {
  if (!takesPlaces(pool)) return false;
  pool.emit('enqueue');
  priv(pool)._connectionQueue.push(caller);
  return true;
}

/** Is a place in the queue all that a caller of a full pool gets? */
export function takesPlaces(pool: mysql.Pool): boolean {
  const { config, _closed: closed } = priv(pool);
  return !closed && config.waitForConnections && config.queueLimit === 0 && !TRACED.hasSubscribers;
}

/** Takes the connection that was given back last for a caller. */
export type Take = (caller: Caller, connection: mysql.PoolConnection) => void;

/**
 * The caller gets the connection that was given back last, in a turn of its own, as with `getConnection`, which makes five
 * functions on the way. False where there is none, or where that would do something else as well.
 */
export function lendFree(pool: mysql.Pool, take: Take, caller: Caller): boolean {
  const { _closed: closed, _freeConnections: free } = priv(pool);
  const connection = closed || TRACED.hasSubscribers ? undefined : free.pop();
  if (connection === undefined) return false;
  pool.emit('acquire', connection);
  process.nextTick(lend, take, caller, connection);
  return true;
}

/** The caller gets a connection that was given back, in a turn of its own. */
export function lendNext(callback: GetCallback, connection: mysql.PoolConnection): void {
  inner(connection)._released = true;
  process.nextTick(lend, hand, callback, connection);
}

function lend(take: Take, caller: Caller, connection: mysql.PoolConnection): void {
  inner(connection)._released = false;
  take(caller, connection);
}

const hand: Take = (caller, connection) => tell(caller, null, connection);

/**
 * Does `release` of this lease come to no more than that somebody else may have the connection?
 * @param release mysql2's own, in whose place there may be another one
 */
export function isPlainLease(pool: mysql.Pool, connection: mysql.PoolConnection, release: () => void): boolean {
  const { config, _closed: closed } = priv(pool);
  const { _pool: of, _released: released } = inner(connection);
  if (config.resetOnRelease || connection.release !== release) return false;
  return !closed && of === pool && released !== true && !hasTimedOut(connection);
}

/** Nobody waits for a connection that was given back. */
export function setFree(pool: mysql.Pool, connection: mysql.PoolConnection): void {
  const own = inner(connection);
  own._released = true;
  own.lastActiveTime = Date.now();
  priv(pool)._freeConnections.push(connection);
  pool.emit('release', connection);
}

/** Whether there is a connection for a caller, or room for one. */
export function hasRoom(pool: mysql.Pool): boolean {
  return !priv(pool)._closed && (hasFree(pool) || !isFull(pool));
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

/** What it runs or prepares; undefined for a command that is no statement. */
export function textOf({ sql, query, statement }: Command): unknown {
  return sql ?? query ?? statement?.query;
}

/** Has the server only been asked to prepare it? That has no effect. */
export function isOnlyPrepared(command: Command): boolean {
  const { query, statement } = command;
  return query !== undefined || ('statement' in command && statement === undefined);
}

/** Tells what a connection fails with for as long as it is not logged in, before anybody else hears of it. */
export function beforeLoginFails(connection: mysql.Connection, note: (error: Error) => void): void {
  const own = inner(connection);
  const { _notifyError: notifyError } = own;
  own._notifyError = (error) => {
    if (!own.authorized) note(error);
    notifyError.call(own, error);
  };
}

/** The command comes before all others that wait for their turn on the connection. */
export function moveToFront(connection: mysql.Connection, command: object): void {
  const { _commands } = inner(connection);
  const index = indexIn<object>(_commands, command);
  if (index <= 0) return;
  _commands.removeOne(index);
  _commands.unshift(command as Command);
}

/** Who hears of a statement that fails. */
export interface OnFailure {
  /** It was refused, timed out or lost its connection; in the place of its callback, or where it has a time-out. */
  failed(command: Command, told: ResultCallback | undefined, error: NodeJS.ErrnoException): void;
  /** It has no callback, and what listens to its events is told now. */
  failing(command: Command, error: NodeJS.ErrnoException): void;
}

/**
 * Tells of each statement that fails, of those that are added from now on. mysql2 tells an event-style or streamed
 * statement nothing of the end of its connection; this does, unless it timed out, and has been told of that.
 */
export function onFailure(connection: mysql.Connection, on: OnFailure): void {
  onCommand(connection, (command) => listen(command, on));
  const own = inner(connection);
  const { _notifyError: notifyError } = own;
  own._notifyError = (error) => {
    const commands = own._command == null ? [] : [own._command];
    for (let index = 0; index < own._commands.length; index++) commands.push(own._commands.get(index)!);
    notifyError.call(own, error);
    for (const command of commands) failStreaming(command, error);
  };
}

type CommandHook = (command: Command) => void;

/** Of each connection; the latest first. */
const HOOKS: WeakMap<mysql.Connection, CommandHook[]> = new WeakMap();

/** Called with each command that is added from now on, unless internally: whoever gives one so looks after it. */
function onCommand(connection: mysql.Connection, hook: CommandHook): void {
  const known = HOOKS.get(connection);
  if (known !== undefined) return void known.unshift(hook);
  const hooks = [hook];
  HOOKS.set(connection, hooks);
  const own = inner(connection);
  const { addCommand } = own;
  own.addCommand = (command) => {
    if (!isInternal()) for (const each of hooks) each(command);
    return addCommand.call(own, command);
  };
}

function listen(command: Command, on: OnFailure): void {
  if (textOf(command) === undefined) return;
  const told = command.onResult;
  if (told === undefined) listenToEvents(command, on);
  else command.onResult = (...result) => (result[0] == null ? told(...result) : on.failed(command, told, result[0]));
}

function listenToEvents(command: Command, { failed, failing }: OnFailure): void {
  const { emit } = command;
  command.emit = (event, ...args) => {
    if (event === 'error') failing(command, args[0] as NodeJS.ErrnoException);
    return emit.call(command, event, ...args);
  };
  if (command.timeout) command.once('error', (error: NodeJS.ErrnoException) => failed(command, undefined, error));
}

const TOLD: WeakSet<Command> = new WeakSet();

function failStreaming(command: Command, error: Error): void {
  const isOther = command.onResult !== undefined || textOf(command) === undefined || isTimedOut(command);
  if (isOther || TOLD.has(command)) return;
  TOLD.add(command);
  if (command.listenerCount('error') > 0) command.emit('error', error);
  command.emit('end');
}

/**
 * From now on the callback of each command, a statement or whatever else, runs in the context of the caller who gave it,
 * whoever made the socket; of one without, what listens to its events. Of a statement that is prepared first, mysql2 gives
 * one of its own.
 */
export function bindCommands(connection: mysql.Connection): void {
  onCommand(connection, (command) => {
    if (command.onResult !== undefined) command.onResult = inCallersContext(command.onResult);
    else bindEvents(command);
  });
}

/** The same for the events of one without a callback. */
export function bindEvents<C extends EventEmitter>(command: C): C {
  if (!Object.hasOwn(command, 'emit')) command.emit = inCallersContext(command.emit);
  return command;
}

/** Is a command on it that the server has not answered yet? */
export function isBusy(connection: mysql.Connection): boolean {
  const { _command, _commands } = inner(connection);
  return _command != null || _commands.length > 0;
}

/** And would this side read the answer? */
export function isWaiting(connection: mysql.Connection): boolean {
  return isBusy(connection) && !(inner(connection).stream as Socket).isPaused();
}

/** mysql2 leaves it to the server to close the socket then. */
export function hasSaidGoodbye(connection: mysql.Connection): boolean {
  return inner(connection)._closing === true;
}

/** The server's number for its session, which it tells in its greeting. */
export function threadIdOf(connection: mysql.Connection): number | null {
  return (connection as { readonly threadId?: number | null }).threadId ?? null;
}

/** mysql2 told the caller that his statement took too long, and goes on waiting for its reply. */
export function hasTimedOut(connection: mysql.Connection): boolean {
  const { _command } = inner(connection);
  return _command != null && isTimedOut(_command);
}

function isTimedOut({ timeout, next, queryTimeout }: Command): boolean {
  return Boolean(timeout) && next != null && queryTimeout === null;
}

/** What failed has been told to its caller once; a second time would be one too many. */
export function silence(connection: mysql.Connection): void {
  const { _command } = inner(connection);
  if (_command == null) return;
  if (_command.onResult === undefined) _command.removeAllListeners('error').on('error', () => {});
  else _command.onResult = () => {};
}

/** The goodbye after what is already under way on it. `PoolConnection.end` only releases. */
export function quit(driver: Driver, connection: mysql.Connection): void {
  const end = driver.Connection.prototype.end as (this: mysql.Connection) => void;
  end.call(connection);
}

const SOCKETS_BELOW: WeakMap<mysql.Connection, TrackedSocket> = new WeakMap();

/** What ends this socket is told before TLS knows, which may be on it, and which is all that mysql2 keeps then. */
export function standsOn(connection: mysql.Connection, socket: TrackedSocket): void {
  SOCKETS_BELOW.set(connection, socket);
}

/** Also once it is closed. */
export function socketBelow(connection: mysql.Connection): TrackedSocket | undefined {
  return SOCKETS_BELOW.get(connection);
}

/** Is nothing to be had from it any more? */
export function isEnded(connection: mysql.Connection): boolean {
  return SOCKETS_BELOW.get(connection)?.destroyed === true || (inner(connection).stream as Socket).destroyed;
}

/** Ends it now, whatever runs on it; that fails with this error. Of a pool it is no member then. */
export function breakOff(connection: mysql.Connection, error: Error): void {
  (inner(connection).stream as Socket).destroy(error);
}

/** CLIENT_MULTI_STATEMENTS of the MySQL protocol. */
const MULTI_STATEMENTS = 0x1_0000;

/** Whether the server takes several statements in one text from it. */
export function takesSeveral(connection: mysql.Connection): boolean {
  return (configOf(connection).clientFlags & MULTI_STATEMENTS) !== 0;
}

/** The database of its login: not the one that a `USE` has chosen since. */
export function databaseOf(connection: mysql.Connection): string | undefined {
  return configOf(connection).database || undefined;
}

/** Whether the application puts values into statements in a way of its own. */
export function hasOwnFormat(connection: mysql.Connection): boolean {
  return configOf(connection).queryFormat !== undefined;
}

function configOf(connection: mysql.Connection): ConnectionSettings {
  return (connection as unknown as { readonly config: ConnectionSettings }).config;
}

/** The cluster's nodes, whose pools it makes itself. */
export function nodesOf(cluster: mysql.PoolCluster): Record<string, { pool: mysql.Pool } | undefined> {
  return (cluster as unknown as { _nodes: Record<string, { pool: mysql.Pool } | undefined> })._nodes;
}

function indexIn<T>(ring: Ring<T>, item: T): number {
  for (let index = 0; index < ring.length; index++) if (ring.get(index) === item) return index;
  return -1;
}
