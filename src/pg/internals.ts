import type pg from 'pg';

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
export interface PendingItem {
  callback(
    error: Error | undefined,
    client: pg.PoolClient | undefined,
    release: (error?: Error | boolean) => void,
  ): void;
  /** pg-pool's own time-out has already answered it. */
  timedOut?: boolean;
}

interface IdleItem {
  readonly client: pg.PoolClient;
  readonly idleListener: IdleListener;
  readonly timeoutId: NodeJS.Timeout | undefined;
}

export type IdleListener = (error: Error) => void;

/** What pg-pool hands to a caller. */
export interface HandOut {
  readonly client: pg.PoolClient;
  readonly item: PendingItem;
  readonly idleListener: IdleListener;
  readonly isNew: boolean;
}

/** pg-pool's private half. */
export interface PoolPrivate {
  _clients: pg.PoolClient[];
  _idle: IdleItem[];
  _expired: WeakSet<pg.PoolClient>;
  _pendingQueue: PendingItem[];
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

/** pg-pool's own way to serve one waiting caller. */
export function pulseOnce(stock: PoolPrivate, pool: pg.Pool): void {
  stock._pulseQueue.call(pool);
}

/** pg-pool's own way to take a client back. */
export function takeBack(
  stock: PoolPrivate,
  pool: pg.Pool,
  client: pg.PoolClient,
  idleListener: IdleListener,
  error?: Error | boolean,
): void {
  stock._release.call(pool, client, idleListener, error);
}

/** pg-pool's own way to close a client. */
export function remove(stock: PoolPrivate, pool: pg.Pool, client: pg.PoolClient, callback?: () => void): void {
  stock._remove.call(pool, client, callback);
}

function priv(pool: pg.Pool): PoolPrivate {
  return pool as unknown as PoolPrivate;
}

export function newestClient(pool: pg.Pool): pg.PoolClient | undefined {
  return priv(pool)._clients.at(-1);
}

export function isIdle(pool: pg.Pool, client: pg.PoolClient): boolean {
  return priv(pool)._idle.some((item) => item.client === client);
}

/** Does a pool, of ours or not, hold it idle? pg-pool listens to an idle client with a function of this name. */
export function isPooledIdle(client: pg.ClientBase): boolean {
  return (client as unknown as NodeJS.EventEmitter).listeners('error').some(({ name }) => name === 'idleListener');
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

/** The caller waits again, before all who came after him. */
export function queueBefore(pool: pg.Pool, item: PendingItem, isLater: (other: PendingItem) => boolean): void {
  const queue = priv(pool)._pendingQueue;
  const index = queue.findIndex(isLater);
  queue.splice(index < 0 ? queue.length : index, 0, item);
}

/** Takes one waiting caller, or all of them, out of the queue. */
export function unqueue(pool: pg.Pool, item?: PendingItem): PendingItem[] {
  const own = priv(pool);
  if (item === undefined) return own._pendingQueue.splice(0);
  const index = own._pendingQueue.indexOf(item);
  return index < 0 ? [] : own._pendingQueue.splice(index, 1);
}

export function waiting(pool: pg.Pool): readonly PendingItem[] {
  return priv(pool)._pendingQueue;
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

/** The statement that a server's error message is about to be handed to. */
export function activeStatement(client: pg.ClientBase): string | undefined {
  const { _activeQuery } = client as unknown as { _activeQuery?: { readonly text?: unknown } | null };
  return typeof _activeQuery?.text === 'string' ? _activeQuery.text : undefined;
}

/** Was a statement sent, and is the server not ready for the next one? */
export function isWaiting(client: pg.ClientBase): boolean {
  return (client as unknown as { readyForQuery?: boolean }).readyForQuery === false;
}

/** pg's own socket: raw until TLS, and gone from here once TLS is on it. */
export function streamOf(client: pg.ClientBase): unknown {
  return (client as unknown as { connection?: { stream?: unknown } }).connection?.stream;
}

/** Tells every server error of this client before pg handles it. */
export function onServerError(client: pg.ClientBase, listener: (error: Error & { code?: string }) => void): () => void {
  const { connection } = client as unknown as { connection?: NodeJS.EventEmitter };
  connection?.prependListener('errorMessage', listener);
  return () => connection?.off('errorMessage', listener);
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
