import fc from 'fast-check';
import { maybe, oneOf, pauses, someOf, turn } from './arbitraries.js';
import type { Pause, Program } from './course.js';

/** What a borrower does with a resource. */
export type Next = 'hold' | 'release' | 'destroy' | 'release later' | 'use, release' | 'use, destroy';
export type GiveBack = 'release' | 'destroy' | 'release twice' | 'destroy, release';

export type GpCall =
  | { readonly do: 'acquire'; readonly priority: number | undefined; readonly next: Next }
  | { readonly do: 'use'; readonly priority: number | undefined; readonly work: 'value' | 'held' | 'fails' }
  | { readonly do: 'give back'; readonly lease: number; readonly how: GiveBack }
  | { readonly do: 'give back another thing' }
  | { readonly do: 'ready' }
  | { readonly do: 'start' }
  | { readonly do: 'drain' }
  | { readonly do: 'clear' };

export interface GpOptions {
  readonly max?: number;
  readonly min?: number;
  readonly maxWaitingClients?: number;
  readonly testOnBorrow?: boolean;
  readonly acquireTimeoutMillis?: number;
  readonly destroyTimeoutMillis?: number;
  readonly fifo?: boolean;
  readonly priorityRange?: number;
  readonly autostart?: boolean;
  readonly evictionRunIntervalMillis?: number;
  readonly numTestsPerEvictionRun?: number;
  readonly softIdleTimeoutMillis?: number;
  readonly idleTimeoutMillis?: number;
  /** The answers of `validate`, over and over. */
  readonly valid: readonly boolean[];
  /** How the factory connects, on ours: by a socket of the pool's, by the address, or by the `lookup`. */
  readonly by: 'connect' | 'address' | 'lookup';
}

export type GpProgram = Program<GpOptions, GpCall>;

const options: fc.Arbitrary<GpOptions> = someOf({
  max: maybe(oneOf(1, 2, 3, 4)),
  min: maybe(oneOf(0, 1, 2)),
  maxWaitingClients: maybe(oneOf(0, 1, 2)),
  testOnBorrow: maybe(fc.boolean()),
  acquireTimeoutMillis: maybe(oneOf(100, 1_000)),
  destroyTimeoutMillis: maybe(oneOf(100, 1_000)),
  fifo: maybe(fc.boolean()),
  priorityRange: maybe(oneOf(1, 2, 3)),
  autostart: maybe(fc.boolean()),
  evictionRunIntervalMillis: maybe(oneOf(100, 500)),
  numTestsPerEvictionRun: maybe(oneOf(1, 3)),
  softIdleTimeoutMillis: maybe(oneOf(50, 500)),
  idleTimeoutMillis: maybe(oneOf(100, 1_000)),
  valid: fc.oneof(
    fc.constant([true]),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }).map((some) => [...some, true]),
  ),
  by: oneOf('connect', 'connect', 'address', 'lookup'),
});

const priority = maybe(fc.nat(3));
const next = oneOf<Next>('hold', 'hold', 'release', 'destroy', 'release later', 'use, release', 'use, destroy');
const giveBack = oneOf<GiveBack>('release', 'release', 'destroy', 'release twice', 'destroy, release');

const call: fc.Arbitrary<GpCall | Pause> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('acquire' as const), priority, next }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('use' as const), priority, work: oneOf('value', 'held', 'fails') }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('give back' as const), lease: fc.nat(3), how: giveBack }) },
  { weight: 1, arbitrary: oneOf<GpCall>({ do: 'give back another thing' }, { do: 'ready' }, { do: 'start' }) },
  { weight: 1, arbitrary: oneOf<GpCall>({ do: 'drain' }, { do: 'clear' }) },
  { weight: 10, arbitrary: pauses },
);

export const gpPrograms: fc.Arbitrary<GpProgram> = fc.record({
  options,
  turn,
  calls: fc.array(call, { minLength: 1, maxLength: 14 }),
});
