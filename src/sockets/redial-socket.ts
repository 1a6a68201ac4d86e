import type { AsyncResource } from 'node:async_hooks';
import { Socket } from 'node:net';
import { callersContext } from '../async-context.js';
import type { Clock, Timer } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import { ATTEMPT_EVENTS, isAttemptFailure } from './attempt.js';
import { HeldWrites } from './held-writes.js';
import { keepAliveDelay } from './keepalive.js';
import type { Way } from './way.js';

type Phase =
  /** Nobody has asked it to connect. */
  | 'new'
  | 'connecting'
  /** A plain socket from now on. */
  | 'connected'
  /** It has ended without having been connected. */
  | 'over';

/**
 * A `net.Socket` that is one stream to its user, however many attempts it takes to connect it. Until one of them is
 * accepted, what is written is held, and nothing of an attempt is visible: neither its events nor its end nor its time.
 * As with `net.Socket`, `connect()` begins a new life after `destroy()`. Where and when to dial is its subclass's.
 */
export abstract class RedialSocket extends Socket {
  readonly #clock: Clock;
  #phase: Phase = 'new';
  #held: HeldWrites = new HeldWrites();
  #attempt: 'none' | 'under way' | 'ending' = 'none';
  /** The attempt has not got as far as to have a handle that may be closed. */
  #starting = false;
  /** Why the attempt under way failed. */
  #attemptError: Error | undefined;
  /** The 'close' events that net has yet to emit before its user hears of one. */
  #closesDue = 0;
  /** It was destroyed, and its user has not heard 'close' yet. */
  #endUntold = false;
  #idleTimer: Timer | undefined;
  #referenced = true;
  /** In which its events come: that of whoever had it connect, whoever it is that its turn to dial comes from. */
  #context: AsyncResource | null = null;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
    super.on('close', () => (this.#endUntold = false));
  }

  /** It may dial: the answer to {@link beginConnecting}, which may come at once. */
  protected abstract onMayDial(): void;
  /** An attempt has reached a server: {@link accept} it, or {@link abandon} it. */
  protected abstract onDialled(): void;
  /** An attempt failed with this, or was abandoned. */
  protected abstract onAttemptOver(error: Error | undefined): void;

  protected get isBeingConnected(): boolean {
    return this.#phase === 'connecting';
  }

  /** Is this how net ends a failed attempt? It is not the end of the socket. */
  protected isEndOfAttempt(error: Error | undefined): boolean {
    return this.#phase === 'connecting' && this.#attempt !== 'none' && isAttemptFailure(error);
  }

  protected beginConnecting(): void {
    this.#phase = 'connecting';
    this.#context = callersContext();
    this.#held = new HeldWrites((error) => this.destroy(error));
    this.write = (...args: unknown[]): boolean => this.#held.write(args);
    this.#setConnecting();
    if (this.timeout) this.#ownTimeout();
    const begin = (): void => {
      if (this.#phase !== 'connecting') return;
      this.#intercept();
      this.#revive();
      this.onMayDial();
    };
    // One life ends before the next one begins.
    if (this.#endUntold) super.once('close', begin);
    else begin();
  }

  protected dial(address: Address, way: Way): void {
    this.#attempt = 'under way';
    this.#attemptError = undefined;
    this.#starting = true;
    // Whoever wraps the socket in TLS in the turn in which it was made would hold on to the handle of this one attempt.
    this.#inContext(() => process.nextTick(() => this.#start(address, way)));
  }

  #start(host: Address, { port, localAddress, localPort }: Way): void {
    if (this.#attempt !== 'under way') return this.#endStart();
    try {
      super.connect({
        host,
        port,
        autoSelectFamily: false,
        ...(localAddress === undefined ? {} : { localAddress }),
        ...(localPort === undefined ? {} : { localPort }),
      });
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    // net.connect puts its own `write` back.
    this.write = (...args: unknown[]): boolean => this.#held.write(args);
    if (!this.#referenced) super.unref();
    // net goes on in the next tick, and takes it amiss where the handle is gone by then.
    process.nextTick(() => this.#endStart());
  }

  #endStart(): void {
    this.#starting = false;
    if (this.#attempt === 'ending') this.#endAttempt();
  }

  /** Ends the attempt under way; {@link onAttemptOver} follows. */
  protected abandon(error?: Error): void {
    if (this.#attempt !== 'under way') return;
    this.#attempt = 'ending';
    this.#attemptError ??= error;
    if (!this.#starting) this.#endAttempt();
  }

  #endAttempt(): void {
    this.#closesDue++;
    super.destroy();
    this.#revive();
    this.#setConnecting();
  }

  /** The attempt is the connection. Its user hears of it by {@link announce}. */
  protected accept(): void {
    this.#phase = 'connected';
    this.#attempt = 'none';
    this.#clock.clear(this.#idleTimer);
    this.#release();
    if (this.timeout) super.setTimeout(this.timeout);
  }

  protected announce(): void {
    this.#held.flush(this);
    super.emit('connect');
  }

  override destroy(error?: Error): this {
    if (this.isEndOfAttempt(error)) {
      this.abandon(error);
      this.#setConnecting();
      return this;
    }
    if (this.#phase === 'connecting') {
      [this.#phase, this.#attempt] = ['over', 'none'];
      this.#clock.clear(this.#idleTimer);
      this.write = Socket.prototype.write;
      this.#held.fail(error);
      if (!this.#endUntold) this.#closesDue++;
    }
    this.#endUntold ||= !this.destroyed;
    return super.destroy(error);
  }

  override end(...args: unknown[]): this {
    if (this.#phase === 'connecting') return this.#held.end(this, args);
    return Reflect.apply(super.end, this, args) as this;
  }

  /** Its last events too: whoever ends it may be anybody. */
  override _destroy(error: Error | null, told: (error?: Error | null) => void): void {
    this.#inContext(() => super._destroy(error, told));
  }

  #inContext(fn: () => void): void {
    if (this.#context === null) fn();
    else this.#context.runInAsyncScope(fn);
  }

  override resetAndDestroy(): this {
    if (this.#phase !== 'connecting') return super.resetAndDestroy();
    return this.once('connect', () => super.resetAndDestroy());
  }

  override setKeepAlive(enable: boolean = true, delayMillis?: number): this {
    return super.setKeepAlive(enable, keepAliveDelay(delayMillis));
  }

  override setTimeout(millis: number, callback?: () => void): this {
    const { timeout } = this;
    try {
      super.setTimeout(millis, callback);
    } catch (error) {
      // Node keeps what it throws for.
      Object.assign(this, { timeout });
      throw error;
    }
    if (this.#phase === 'connecting') this.#ownTimeout();
    return this;
  }

  override ref(): this {
    // Pools ask for it at every checkout.
    if (this.#referenced) return this;
    this.#referenced = true;
    return super.ref();
  }

  override unref(): this {
    this.#referenced = false;
    return super.unref();
  }

  /** As net does where a socket connects again: to its user it has not been destroyed. */
  #revive(): void {
    if (this.destroyed) (this as unknown as { _undestroy(): void })._undestroy();
  }

  /** net's own timer would end, or begin anew, with each attempt. */
  #ownTimeout(): void {
    const millis = this.timeout ?? 0;
    super.setTimeout(0);
    (this as { timeout: number }).timeout = millis;
    this.#clock.clear(this.#idleTimer);
    this.#idleTimer = millis > 0 ? this.#clock.set(() => super.emit('timeout'), millis) : undefined;
  }

  #intercept(): void {
    this.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (event === 'close') return this.#onNetClosed(args);
      if (!this.#hidesEvents || !ATTEMPT_EVENTS.has(event)) return super.emit(event, ...args);
      if (event === 'connect') this.onDialled();
      return true;
    };
  }

  /** What net says now is said of an attempt, not of the life before. */
  get #hidesEvents(): boolean {
    return this.#phase === 'connecting' && !this.#endUntold;
  }

  #onNetClosed(args: readonly unknown[]): boolean {
    this.#closesDue--;
    if (this.#hidesEvents) {
      this.#attempt = 'none';
      this.onAttemptOver(this.#attemptError);
      return true;
    }
    if (this.#closesDue > 0) return true;
    this.emit = Socket.prototype.emit;
    return super.emit('close', ...args);
  }

  #release(): void {
    this.write = Socket.prototype.write;
    this.emit = Socket.prototype.emit;
  }

  /** Drivers, agents and TLS ask `connecting`; between two attempts net would say false. */
  #setConnecting(): void {
    (this as { connecting: boolean }).connecting = true;
  }
}
