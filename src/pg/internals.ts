import { Socket } from 'node:net';
import type pg from 'pg';
import { type Waiter, WaiterQueue } from '../failover/waiter-queue.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** What of the module `pg` is used; another copy of it will do. */
export interface Driver {
  readonly Pool: new (config?: pg.PoolConfig) => pg.Pool;
  readonly Client: new (config?: string | pg.ClientConfig) => pg.Client;
}

/**
 * Every private member of pg and pg-pool that this adapter touches, in one place; test/pg/internals.test.ts says what
 * breaks if one goes. Measured with pg 8.16 to 8.23, pg-pool 3.10 to 3.14.
 */

/** One waiting caller of a pool. */
export interface PendingItem extends Waiter {
  callback(
    error: Error | undefined,
    client: pg.PoolClient | undefined,
    release: (error?: Error | boolean) => void,
  ): void;
  /** The caller has been answered, by pg-pool's own timeout or by us: what comes for it now belongs to the pool. */
  timedOut?: boolean;
}

/**
 * Takes the place of pg-pool's array of waiting callers: with many of them in an outage, each one that leaves or comes
 * back would move all the others.
 */
export class PendingQueue extends WaiterQueue<PendingItem> {
  /** pg-pool looks so for a caller whose timeout is over. */
  findIndex(predicate: (item: PendingItem) => boolean): number {
    let index = 0;
    for (const item of this) {
      if (predicate(item)) return index;
      index++;
    }
    return -1;
  }

  /** And takes it out so. */
  splice(index: number, count: number): PendingItem[] {
    const taken = [...take(this, index + count)].slice(index);
    for (const item of taken) this.remove(item);
    return taken;
  }
}

function* take<T>(items: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}

/** From now on the pool's callers wait in a queue of ours. */
export function installQueue(pool: pg.Pool): PendingQueue {
  const queue = new PendingQueue();
  priv(pool)._pendingQueue = queue;
  return queue;
}

const IDLE_TIMER: unique symbol = Symbol('eip-pool.idleTimer');

interface IdleItem {
  readonly client: pg.PoolClient;
  readonly idleListener: IdleListener;
  /** None where the pool's {@link IdleTimeouts} look after it. */
  readonly timeoutId: NodeJS.Timeout | undefined;
}

export type IdleListener = (error: Error) => void;

/** What a release without an error is given in its place. */
export type NoError = false | null | undefined;

/** What pg-pool hands to a caller. */
export interface HandOut {
  readonly client: pg.PoolClient;
  readonly item: PendingItem;
  readonly idleListener: IdleListener;
  readonly isNew: boolean;
}

type Queue = Pick<PendingQueue, 'length' | 'push' | 'shift' | 'findIndex' | 'splice'>;

/** pg-pool's private half. */
export interface PoolPrivate {
  _clients: pg.PoolClient[];
  _idle: IdleItem[];
  _expired: WeakSet<pg.PoolClient>;
  _pendingQueue: Queue;
  log(message: string): void;
  _isFull(): boolean;
  _pulseQueue(): void;
  _remove(client: pg.PoolClient, callback?: () => void): void;
  _release(client: pg.PoolClient, idleListener: IdleListener, error?: Error | boolean): void;
  _acquireClient(client: pg.PoolClient, item: PendingItem, idleListener: IdleListener, isNew: boolean): void;
  newClient(item: PendingItem): void;
}

/** A driver's pool class with its private half: what ours overrides. */
export interface Overridable extends PoolPrivate, Omit<pg.Pool, 'connect' | 'query' | 'end' | 'emit'> {
  emit(event: string | symbol, ...args: unknown[]): boolean;
  connect(callback?: unknown): unknown;
  query(text: unknown, values?: unknown, callback?: unknown): unknown;
  end(callback?: () => void): unknown;
}

/** pg-pool's own methods, past an override of them. */
export function stockOf(driver: Driver): PoolPrivate {
  return driver.Pool.prototype;
}

/** pg-pool's own way to make a client for a caller. */
export function makeClient(stock: PoolPrivate, pool: pg.Pool, item: PendingItem): void {
  stock.newClient.call(pool, item);
}

function priv(pool: pg.Pool): PoolPrivate {
  return pool as unknown as PoolPrivate;
}

export function newestClient(pool: pg.Pool): pg.PoolClient | undefined {
  return priv(pool)._clients.at(-1);
}

/** Is there room for no further client? */
export function isFull(pool: pg.Pool): boolean {
  return priv(pool)._isFull();
}

export function isIdle(pool: pg.Pool, client: pg.PoolClient): boolean {
  return priv(pool)._idle.some((item) => item.client === client);
}

/** Does a pool, of ours or not, hold it idle? pg-pool listens to an idle client with a function of this name. */
export function isPooledIdle(client: pg.ClientBase): boolean {
  return (client as unknown as NodeJS.EventEmitter).listeners('error').some(({ name }) => name === 'idleListener');
}

/** Would pg-pool keep it at a release without an error? Then nothing but its idle timeout closes it later. */
export function isKept(pool: pg.Pool, client: pg.PoolClient): boolean {
  const { _queryable, _ending, _poolUseCount } = client as unknown as Record<string, unknown>;
  if (_queryable !== true || _ending === true || pool.ending || isExpired(pool, client)) return false;
  return ((_poolUseCount as number | undefined) ?? 0) + 1 < pool.options.maxUses;
}

/** pg-pool's release of one that {@link isKept}, except that whoever calls looks after its idle timeout. */
export function keepIdle(pool: pg.Pool, client: pg.PoolClient, idleListener: IdleListener, error: NoError): void {
  const own = priv(pool);
  const counted = client as { _poolUseCount?: number };
  client.on('error', idleListener);
  counted._poolUseCount = (counted._poolUseCount ?? 0) + 1;
  if (hears(pool, 'release')) pool.emit('release', error, client);
  // Whoever is told of the release may have ended the pool.
  if (pool.ending) return own._remove(client, () => own._pulseQueue());
  own._idle.push({ client, idleListener, timeoutId: undefined });
  // Where nobody waits, a pulse only says so, to whoever logs.
  if (own._pendingQueue.length > 0 || pool.options.log !== undefined) own._pulseQueue();
}

interface WithIdleTimer {
  [IDLE_TIMER]?: NodeJS.Timeout | undefined;
}

export function idleTimerOf(client: pg.ClientBase): NodeJS.Timeout | undefined {
  return (client as WithIdleTimer)[IDLE_TIMER];
}

/** For as long as the client is the pool's. */
export function setIdleTimer(client: pg.ClientBase, timer: NodeJS.Timeout): void {
  (client as WithIdleTimer)[IDLE_TIMER] = timer;
}

export function endIdleTimer(client: pg.ClientBase): void {
  const own = client as WithIdleTimer;
  if (own[IDLE_TIMER] === undefined) return;
  clearTimeout(own[IDLE_TIMER]);
  own[IDLE_TIMER] = undefined;
}

/** Its idle timeout means nothing from now on, and keeps no process alive; its release begins it anew. */
export function beginLease(client: pg.ClientBase): void {
  idleTimerOf(client)?.unref();
}

/** Whether somebody would hear the event: nobody does of most releases. */
function hears(pool: pg.Pool, event: string): boolean {
  return pool.listenerCount(event) > 0 || Object.hasOwn(pool, 'emit');
}

/** Its idle timeout is over. */
export function closeIdle(pool: pg.Pool, client: pg.PoolClient): void {
  const own = priv(pool);
  if (!isIdle(pool, client)) return;
  own.log('remove idle client');
  own._remove(client, () => own._pulseQueue());
}

/** False for one that the pool has already closed, or is closing. */
export function isMember(pool: pg.Pool, client: pg.PoolClient): boolean {
  return priv(pool)._clients.includes(client);
}

/** Out of the pool without closing it: the pool has its place free at once, and no longer listens to it. */
export function takeOut(pool: pg.Pool, client: pg.PoolClient): void {
  const own = priv(pool);
  const item = own._idle.find((idle) => idle.client === client);
  if (item !== undefined) {
    clearTimeout(item.timeoutId);
    client.removeListener('error', item.idleListener);
    own._idle = own._idle.filter((idle) => idle !== item);
  }
  own._clients = own._clients.filter((other) => other !== client);
  endIdleTimer(client);
}

/** Will the pool close it at its release? Whoever asks for one whose lifetime is over is the pool, which releases it. */
export function isExpired(pool: pg.Pool, client: pg.PoolClient): boolean {
  return priv(pool)._expired.has(client);
}

/** At its release the pool closes the client, and does not keep it. */
export function expire(pool: pg.Pool, client: pg.PoolClient): void {
  priv(pool)._expired.add(client);
}

/** Closes a client that is in nobody's hands, and emits the pool's 'remove' when it is closed. */
export function closeClient(pool: pg.Pool, client: pg.PoolClient): void {
  priv(pool)._remove(client);
}

/** Clients that `end()` waits for, though they have left the pool. */
export function putBack(pool: pg.Pool, clients: Iterable<pg.PoolClient>): void {
  priv(pool)._clients.push(...clients);
}

/** pg-pool's own way to hand a client to a caller. */
export function handOver(
  stock: PoolPrivate,
  pool: pg.Pool,
  client: pg.PoolClient,
  item: PendingItem,
  idleListener: IdleListener,
  isNew: boolean,
): void {
  beginLease(client);
  stock._acquireClient.call(pool, client, item, idleListener, isNew);
}

/** Serves waiting callers while there is a client, or room for one. One pulse serves one caller. */
export function pulse(pool: pg.Pool): void {
  const own = priv(pool);
  let before = Infinity;
  while (
    own._pendingQueue.length > 0 &&
    own._pendingQueue.length < before &&
    (own._idle.length > 0 || !own._isFull())
  ) {
    before = own._pendingQueue.length;
    own._pulseQueue();
  }
}

/** What a server's message is about to be handed to; its text is undefined where nobody knows it. */
export function activeQuery(client: pg.ClientBase): { readonly text: string | undefined } | null {
  const { _activeQuery } = client as unknown as { _activeQuery?: { readonly text?: unknown; name?: unknown } | null };
  if (_activeQuery == null) return null;
  const { text, name } = _activeQuery;
  if (typeof text === 'string') return { text };
  return { text: typeof name === 'string' ? preparedText(client, name) : undefined };
}

/** Its statement's text, where there is one. */
export function activeStatement(client: pg.ClientBase): string | undefined {
  return activeQuery(client)?.text;
}

/** Whether pg sends it as text alone, as its `requiresPreparation` tells; its results are text then, whatever is asked for. */
export function usesSimpleProtocol(config: unknown, values: unknown): boolean {
  const given = typeof config === 'object' && config !== null ? (config as Readonly<Record<string, unknown>>) : {};
  if (given['queryMode'] === 'extended' || given['name'] || given['rows']) return false;
  const bound = values || given['values'];
  return !Array.isArray(bound) || bound.length === 0;
}

/** The server parses it and does not run it. Rejects with what it says against it: that it is more than one statement. */
export function parseOnly(client: pg.ClientBase, text: string): Promise<void> {
  interface Connection {
    parse(statement: { text: string; name: string; types: unknown[] }): void;
    sync(): void;
  }
  const { Query } = client.constructor as unknown as { Query: new (config: object) => Record<string, unknown> };
  return new Promise((resolve, reject) => {
    const callback = (error: Error | null): void => (error === null ? resolve() : reject(error));
    const query = new Query({ text, queryMode: 'extended', callback });
    query['prepare'] = (connection: Connection): void => {
      connection.parse({ text, name: '', types: [] });
      connection.sync();
    };
    client.query(query as unknown as pg.Submittable);
  });
}

/** Would its next statement be refused without a byte of it being written? */
export function isUnqueryable(client: pg.ClientBase): boolean {
  const { _queryable, _ending } = client as unknown as { _queryable?: boolean; _ending?: boolean };
  return _queryable === false || _ending === true;
}

/** Whoever called `connect`, and is about to be told that the connection has ended, is told with this before. */
export function beforeConnectFails(client: pg.ClientBase, note: (error: Error) => void): void {
  const own = client as unknown as { _connectionCallback?: ((error: Error, ...rest: unknown[]) => void) | null };
  const told = own._connectionCallback;
  if (told == null) return;
  own._connectionCallback = (error, ...rest) => {
    note(error);
    told(error, ...rest);
  };
}

/** The queries that wait for their turn, of which nothing has been written, fail with what this makes of their error. */
export function failQueuedWith(client: pg.ClientBase, own: (error: Error) => Error): void {
  interface Queued {
    handleError(error: Error, connection: unknown): void;
  }
  const { _queryQueue } = client as unknown as { _queryQueue?: Queued[] };
  for (const query of _queryQueue ?? []) {
    const { handleError } = query;
    query.handleError = (error, connection) => handleError.call(query, own(error), connection);
  }
}

/** Was a statement sent, is the server not ready for the next one, and would this side read what it says? */
export function isWaiting(client: pg.ClientBase): boolean {
  if ((client as unknown as { readyForQuery?: boolean }).readyForQuery !== false) return false;
  return (streamOf(client) as { isPaused?(): boolean } | undefined)?.isPaused?.() !== true;
}

/** The server's number for its session, which it tells at the login. */
export function processIdOf(client: pg.ClientBase): number | null {
  return (client as unknown as { processID?: number | null }).processID ?? null;
}

/** What pg reads and writes: TLS on its socket, once that is there. */
export function topOf(client: pg.ClientBase): Socket | null {
  const stream = streamOf(client);
  return stream instanceof Socket ? stream : null;
}

/** pg's own socket: raw until TLS, and gone from here once TLS is on it. */
export function streamOf(client: pg.ClientBase): unknown {
  return (client as unknown as { connection?: { stream?: unknown } }).connection?.stream;
}

const SOCKET: unique symbol = Symbol('eip-pool.socket');

/** The socket of a pool's client, also under TLS, for as long as the client is not closed. Asked with every checkout. */
export function socketOf(client: pg.ClientBase): TrackedSocket | undefined {
  return (client as { [SOCKET]?: TrackedSocket | undefined })[SOCKET];
}

export function keepSocket(client: pg.ClientBase, socket: TrackedSocket | undefined): void {
  (client as { [SOCKET]?: TrackedSocket | undefined })[SOCKET] = socket;
}

/** Tells every server error of this client before pg handles it. */
export function onServerError(client: pg.ClientBase, listener: (error: Error & { code?: string }) => void): () => void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  connection?.prependListener('errorMessage', listener);
  return () => connection?.off('errorMessage', listener);
}

/** Tells the end of the connection before pg does: with what it failed, beyond the server's own words, or undefined. */
export function beforeEnd(client: pg.ClientBase, listener: (error: Error | undefined) => void): void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  connection?.prependListener('error', listener).prependOnceListener('end', listener);
}

/**
 * Tells when the client has emitted 'end'. A listener of the client's own would make every lease dearer: pg-pool adds and
 * removes one for 'error', and where there is another, Node deletes a key instead of starting anew.
 */
export function onEnd(client: pg.ClientBase, listener: () => void): void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  connection?.once('end', () => process.nextTick(listener));
}

/** Tells each parameter that the server reports of itself, at the log-in and when it changes. */
export function onParameter(client: pg.ClientBase, listener: (name: string, value: string) => void): void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  connection?.on('parameterStatus', ({ parameterName, parameterValue }: Record<string, string>) => {
    listener(parameterName ?? '', parameterValue ?? '');
  });
}

/** Tells the state of the transaction at the end of each reply, before pg hands the reply on: I, T or E. */
export function onReady(client: pg.ClientBase, listener: (status: string) => void): () => void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  const onMessage = ({ status }: { readonly status: string }): void => listener(status);
  connection?.prependListener('readyForQuery', onMessage);
  return () => connection?.off('readyForQuery', onMessage);
}

/** Tells the tag with which the server answers each statement: several in one text have one each. */
export function onCommandTag(client: pg.ClientBase, listener: (tag: string) => void): () => void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  const onMessage = ({ text }: { readonly text: string }): void => listener(text);
  connection?.prependListener('commandComplete', onMessage);
  return () => connection?.off('commandComplete', onMessage);
}

/** The text of a statement that was prepared under this name; undefined where there is none. */
export function preparedText(client: pg.ClientBase, name: string): string | undefined {
  const { connection } = client as unknown as { connection?: { parsedStatements?: Record<string, string> } };
  return connection?.parsedStatements?.[name];
}
