import { countLost, type LedgerVerdict } from '../../failover/ledger.js';
import type { Operation } from '../../failover/operation.js';
import type { Ground } from './ground.js';
import { at, type Session } from './server.js';

/** The table of a run with writes, on both servers: made for it, and dropped with it. */
export class BenchTable {
  readonly name: string;
  readonly #url: URL;
  readonly #ground: Ground;
  #made = false;

  constructor(name: string, url: URL, ground: Ground) {
    this.name = name;
    this.#url = url;
    this.#ground = ground;
  }

  /** Nothing is there that could be lost, and both servers take writes. @throws otherwise */
  async check(): Promise<void> {
    await this.#onBoth(async (session, instanceId) => {
      const [row] = await session.query<{ found: boolean; frozen: boolean }>(
        `select to_regclass('${this.name}') is not null as found, pg_is_in_recovery() as frozen`,
      );
      if (row?.found === true) throw new Error(`--table: there is a table ${this.name} on ${instanceId} already`);
      if (row?.frozen === true)
        throw new Error(`--table: ${instanceId} is read-only; without --table nothing is written`);
    });
  }

  async create(): Promise<void> {
    await this.#onBoth(async (session) => {
      // The second server may have got it from the first.
      await session.query(`create table ${this.#made ? 'if not exists ' : ''}${this.name} (id text not null)`);
      this.#made = true;
    });
  }

  async drop(): Promise<void> {
    if (this.#made) await this.#onBoth((session) => session.query(`drop table if exists ${this.name}`));
    this.#made = false;
  }

  /** What became of the writes whose ids begin like this, by both servers' word. */
  async judge(operations: readonly Operation[], prefix: string): Promise<LedgerVerdict> {
    const counts: Map<string, number>[] = [];
    await this.#onBoth(async (session) => {
      const rows = await session.query<{ id: string; times: string }>(
        `select id, count(*) as times from ${this.name} where id like '${prefix}%' group by id`,
      );
      counts.push(new Map(rows.map(({ id, times }) => [id, Number(times)])));
    });
    return judgeWrites(operations, counts);
  }

  /** One after the other: what the first gets by a statement, the second may get from it. */
  async #onBoth(work: (session: Session, instanceId: string) => Promise<unknown>): Promise<void> {
    for (const { instanceId, privateAddress } of this.#ground.sides) {
      await at(this.#url, privateAddress, (session) => work(session, instanceId));
    }
  }
}

/**
 * Lost: acknowledged, and on neither server. Doubled: more than once on one server, because servers that replicate have
 * each row once each.
 * @param counts how often each server has each id
 */
export function judgeWrites(
  operations: readonly Operation[],
  counts: readonly ReadonlyMap<string, number>[],
): LedgerVerdict {
  const lostWrites = countLost(operations, (id) => counts.some((own) => own.has(id)));
  const doubled = new Set(counts.flatMap((own) => [...own].flatMap(([id, times]) => (times > 1 ? [id] : []))));
  return { lostWrites, doubledWrites: doubled.size };
}
