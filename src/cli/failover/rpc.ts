import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { messageOf } from '../../errors.js';

/** What a process of ours offers to the one that started it: everything in it goes through JSON. */
export type Methods<M> = { readonly [K in keyof M]: (argument: never) => Promise<unknown> };

interface Call {
  readonly call: number;
  readonly method: string;
  readonly argument: unknown;
}

type Message =
  | { readonly reply: number; readonly value?: unknown }
  | { readonly reply: number; readonly failed: string }
  | { readonly note: unknown };

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

type Argument<F> = F extends (argument: infer A) => unknown ? A : never;
type Value<F> = F extends (argument: never) => Promise<infer V> ? V : never;

/** A process that runs one of our modules. It ends when we do, however we end. */
export class Child<M extends Methods<M>> {
  readonly #process: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  #calls = 0;
  #ending = false;
  /** Why it takes no call any more. */
  #failure: Error | null = null;
  /** Gets what the process tells without being asked. */
  onNote: (note: unknown) => void = () => {};

  constructor(module: string, env: Readonly<Record<string, string>> = {}) {
    this.#process = fork(module, { env: { ...process.env, ...env }, execArgv: [] });
    this.#process.on('message', (message: Message) => this.#receive(message));
    this.#process.on('error', (error) => this.#fail(error));
    this.#process.on('exit', (code, signal) => {
      this.#fail(new Error(this.#ending ? `${module} was ended` : `${module} ended by itself (${signal ?? code})`));
    });
  }

  async call<K extends keyof M & string>(method: K, argument?: Argument<M[K]>): Promise<Value<M[K]>> {
    if (this.#failure !== null) throw this.#failure;
    const call = ++this.#calls;
    return await new Promise<Value<M[K]>>((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#process.send({ call, method, argument } satisfies Call, (error) => error && this.#fail(error));
    });
  }

  /** Resolves when it is gone, with all that it started. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await gone;
  }

  /** Ends one that has nothing to clean up, whatever it does. */
  async kill(): Promise<void> {
    this.#ending = true;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  #receive(message: Message): void {
    if ('note' in message) return this.onNote(message.note);
    const waiting = this.#waiting.get(message.reply);
    this.#waiting.delete(message.reply);
    if ('failed' in message) waiting?.reject(new Error(message.failed));
    else waiting?.resolve(message.value as never);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/**
 * The other side of a {@link Child}. `leave` runs when the parent has gone, and then the process ends. Ctrl-C reaches
 * every process of a terminal; only the parent acts on it.
 */
export function serve<M extends Methods<M>>(methods: M, leave: () => Promise<void>): void {
  process.on('SIGINT', () => {});
  process.once('disconnect', () => {
    void leave().finally(() => process.exit());
  });
  process.on('message', ({ call, method, argument }: Call) => {
    const run = methods[method as keyof M] as unknown as (argument: unknown) => Promise<unknown>;
    run(argument).then(
      (value) => send({ reply: call, value }),
      (error: unknown) => send({ reply: call, failed: messageOf(error) }),
    );
  });
}

/** Tells the parent something that it did not ask for. */
export function tell(note: unknown): void {
  send({ note });
}

function send(message: Message): void {
  if (process.connected) process.send?.(message);
}

/** Milliseconds on a clock that all processes of a machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
