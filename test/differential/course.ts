import { messageOf } from '../../src/errors.js';
import { turns, type VirtualTime } from './virtual-time.js';
import type { Turn, Wire } from './wire.js';

/** Whose pool runs a program. */
export type Side = 'stock' | 'ours';

/** What a program does between two calls. */
export type Pause =
  /** Not even the end of this turn: the next call is made in the same one. */
  | { readonly do: 'tick' }
  /** A turn of the event loop, in which no server says anything. */
  | { readonly do: 'turn' }
  /** One login, or one statement. */
  | { readonly do: 'step' }
  /** Until nothing happens any more. */
  | { readonly do: 'quiet' }
  | { readonly do: 'time'; readonly millis: number };

/** How the function of a transaction ends. */
export type Ends = 'commit' | 'throw' | 'fail';

/** Calls that the pools of both drivers have. */
export type CommonCall =
  | { readonly do: 'transaction'; readonly ends: Ends }
  | { readonly do: 'pause and resume' }
  | { readonly do: 'end'; readonly how: 'promise' | 'callback' };

export interface Program<Options, Call> {
  readonly options: Options;
  readonly turn: Turn;
  readonly calls: readonly (Call | Pause)[];
}

/** Where programs run. */
export interface Stage {
  readonly time: VirtualTime;
  readonly wire: Wire;
  readonly port: number;
  /** The address that the name has. */
  readonly address: string;
  readonly name: string;
  readonly dnsServers: readonly string[];
  readonly login: { readonly user: string; readonly password: string; readonly database: string };
  /** The folder of the build under test. */
  readonly library: string;
  /** What the server was made to run by the program with that number, counted. */
  done(run: number): Promise<Readonly<Record<string, number>>>;
}

/** All that could be seen of one run of a program, in the order in which it was seen. */
export class Course {
  /** Marks what the server is made to keep. */
  readonly run: number;
  readonly entries: string[] = [];
  readonly #numbers: WeakMap<object, string> = new WeakMap();
  readonly #counts: Map<string, number> = new Map();
  readonly #open: Map<string, true> = new Map();
  /** Added to each entry: the pool's counters at that moment. */
  counters: () => string = () => '';

  constructor(run: number) {
    this.run = run;
  }

  note(text: string): void {
    this.entries.push(`${text}  [${this.counters()}]`);
  }

  /** A call began that has to be answered. */
  begun(call: string): void {
    this.#open.set(call, true);
  }

  /** Each answer is an entry, the second one too. */
  answered(call: string, text: string): void {
    this.#open.delete(call);
    this.note(`${call} ${text}`);
  }

  /** Notes what a promise comes to. */
  promised(call: string, promise: PromiseLike<unknown>, text: (value: unknown) => string): void {
    this.begun(call);
    promise.then(
      (value) => this.answered(call, text(value)),
      (error: unknown) => this.answered(call, failure(error)),
    );
  }

  /** A callback that notes what it is told. */
  told(call: string, text: (...values: unknown[]) => string): (error: unknown, ...values: unknown[]) => void {
    this.begun(call);
    return (error, ...values) => this.answered(call, error == null ? text(...values) : failure(error));
  }

  /** Calls that were not answered. */
  get unanswered(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** A name for an object, by its first appearance: the same in every run that has the same course. */
  nameOf(kind: string, object: unknown): string {
    if (typeof object !== 'object' || object === null) return String(object);
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    const number = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, number);
    this.#numbers.set(object, `${kind}${number}`);
    return `${kind}${number}`;
  }
}

export function failure(error: unknown): string {
  const { code = '' } = (error ?? {}) as { code?: string };
  return `failed: ${code === '' ? '' : `${code} `}${messageOf(error)}`;
}

/**
 * Longer than any statement is held. It is held on its way, while its session waits for this side, and so does the session of
 * a connection that is lost.
 */
export const SILENCE_MILLIS = 3_000;

/** Longer than any statement is held, or any limit that a program sets. */
const AT_THE_END_MILLIS = 3_000;

/** What the end of a program needs of a pool. */
export interface Finish {
  /** Gives back all that callers hold; false if they hold nothing. */
  readonly giveBack: () => boolean;
  readonly end: () => void;
}

/** Waits for all that a program has begun, gives back what it holds, ends its pool, and counts what is left. */
export async function finish(stage: Stage, course: Course, { giveBack, end }: Finish): Promise<void> {
  const { time, wire } = stage;
  await rest(time, wire, AT_THE_END_MILLIS);
  course.note(`at the end; timers that keep the process: ${time.awaited}, connections: ${wire.open}`);
  // Whoever waited gets what is given back, and gives it back in turn.
  while (giveBack()) await rest(time, wire, 1);
  end();
  await rest(time, wire, AT_THE_END_MILLIS);
  course.note(`after the end; timers that keep the process: ${time.awaited}, connections: ${wire.open}`);
  for (const call of course.unanswered) course.note(`${call} was never answered`);
  for (const [call, times] of Object.entries(await stage.done(course.run)))
    course.note(`${call} was run ${times} times`);
}

const isPause = (call: { readonly do: string }): call is Pause =>
  ['tick', 'turn', 'step', 'quiet', 'time'].includes(call.do);

/** Makes the calls of a program, with its pauses. */
export async function play<Call extends { readonly do: string }>(
  { time, wire }: Stage,
  calls: readonly (Call | Pause)[],
  make: (call: Call, number: number) => void,
): Promise<void> {
  for (const [i, call] of calls.entries()) {
    if (!isPause(call)) make(call, i + 1);
    else if (call.do === 'tick') await new Promise<void>((resolve) => process.nextTick(resolve));
    else if (call.do === 'turn') await turns(1);
    else if (call.do === 'step') await wire.step();
    else await rest(time, wire, call.do === 'time' ? call.millis : 0);
  }
}

/** Until nothing happens any more, and so much later. */
export async function rest(time: VirtualTime, wire: Wire, millis: number): Promise<void> {
  await wire.quiet();
  await time.advance(millis, () => wire.quiet());
}

/**
 * For what a pool of ours does by itself and is done by hand on the driver's: the same but for the turns of promises that it
 * takes, so nobody looks before the turn of the event loop is over.
 */
export async function untilTurnIsOver<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await turns(1);
  }
}
