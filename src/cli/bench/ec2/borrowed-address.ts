import { setTimeout } from 'node:timers/promises';
import type { ElasticIp, ElasticIpDescription } from '../../../ec2/index.js';
import { messageOf } from '../../../errors.js';
import { sharedNow } from '../../failover/rpc.js';
import { within } from '../../within.js';
import type { Ground, Side } from './ground.js';

/** A switch, on the clock that all processes share. */
export interface Switched {
  readonly sentAt: number;
  /** When EC2 said that it was done. */
  readonly acceptedAt: number;
}

export type Restored =
  | { readonly kind: 'untouched' }
  | { readonly kind: 'restored' }
  /** Somebody else has moved it to where we never put it: that was for a reason, and is left as it is. */
  | { readonly kind: 'elsewhere'; readonly where: string }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface RestoreOptions {
  /** How long it is tried. */
  readonly millis: number;
  /** Aborted when the user does not want to wait for that. */
  readonly givenUp: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

const SHOW_MILLIS = 30_000;
const ATTEMPT_MILLIS = 60_000;
const PAUSE_MILLIS = 500;
const LONGEST_PAUSE_MILLIS = 5_000;

/** An Elastic IP that is given back where it was. */
export class BorrowedAddress {
  readonly #elasticIp: Pick<ElasticIp, 'describe' | 'associate'>;
  readonly #ground: Ground;
  #away = false;

  constructor(elasticIp: Pick<ElasticIp, 'describe' | 'associate'>, ground: Ground) {
    this.#elasticIp = elasticIp;
    this.#ground = ground;
  }

  /**
   * Switches it, unless the signal is aborted before the call. Whoever calls this waits until it is settled, whatever happens meanwhile: a call that is still under way
   * could undo the restoration.
   */
  async point(side: Side, signal: AbortSignal): Promise<Switched> {
    const elsewhere = this.#elsewhere(await this.#elasticIp.describe());
    if (elsewhere !== null) throw new Error(`somebody else has moved the Elastic IP to ${elsewhere}`);
    signal.throwIfAborted();
    // Before the call: one that fails may have been done all the same.
    this.#away = true;
    const sentAt = sharedNow();
    let acceptedAt = NaN;
    await this.#elasticIp.associate(side.target, {
      name: false,
      deadlineMillis: SHOW_MILLIS,
      onStep: ({ millis }) => (acceptedAt = sharedNow() - millis),
    });
    return { sentAt, acceptedAt };
  }

  async restore({ millis, givenUp, onFailure }: RestoreOptions): Promise<Restored> {
    if (!this.#away) return { kind: 'untouched' };
    const until = sharedNow() + millis;
    for (let pause = PAUSE_MILLIS; ; pause = Math.min(LONGEST_PAUSE_MILLIS, 2 * pause)) {
      try {
        return await within(ATTEMPT_MILLIS, 'the EC2 API', this.#putBack());
      } catch (error) {
        onFailure(error);
        if (givenUp.aborted || sharedNow() + pause > until) return { kind: 'failed', error };
        await setTimeout(pause, undefined, { signal: givenUp }).catch(() => {});
      }
    }
  }

  async #putBack(): Promise<Restored> {
    const where = this.#elsewhere(await this.#elasticIp.describe());
    if (where !== null) return { kind: 'elsewhere', where };
    await this.#elasticIp.associate(this.#ground.sides[0].target, { name: false, deadlineMillis: SHOW_MILLIS });
    this.#away = false;
    return { kind: 'restored' };
  }

  #elsewhere({ association }: ElasticIpDescription): string | null {
    const known = this.#ground.sides.some(({ privateAddress }) => privateAddress === association?.privateAddress);
    if (association === null || known) return null;
    return `${association.instanceId ?? association.networkInterfaceId} (${association.privateAddress})`;
  }
}

/** What somebody types who has to put it back by hand. */
export function restoreCommand({ allocationId, region, sides }: Ground): string {
  return `npx eip-pool eip associate ${allocationId} ${sides[0].privateAddress} --region ${region}`;
}

/** One line on how it ended, and whether that is well. */
export function describeRestored(restored: Restored, ground: Ground): { readonly ok: boolean; readonly text: string } {
  const home = `${ground.sides[0].instanceId} (${ground.sides[0].privateAddress})`;
  switch (restored.kind) {
    case 'untouched':
      return { ok: true, text: `the Elastic IP was not touched: it is on ${home}` };
    case 'restored':
      return { ok: true, text: `the Elastic IP is back on ${home}` };
    case 'elsewhere':
      return {
        ok: false,
        text: `somebody else has moved the Elastic IP to ${restored.where}, and there it stays; to put it back on ${home}:\n  ${restoreCommand(ground)}`,
      };
    case 'failed':
      return {
        ok: false,
        text: `THE ELASTIC IP MAY NOT BE BACK on ${home}: ${messageOf(restored.error)}\nPut it back with:\n  ${restoreCommand(ground)}`,
      };
  }
}
