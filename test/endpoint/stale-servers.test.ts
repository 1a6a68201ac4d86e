import { describe, expect, it } from 'vitest';
import { World } from './stale-servers.js';

/** All of 100,000 take minutes; a run of the suite takes the first of them. */
const SCHEDULES = Number(process.env['EIP_POOL_SCHEDULES'] ?? 300);
const FIRST = Number(process.env['EIP_POOL_FIRST_SCHEDULE'] ?? 1);

describe('servers of which any are stale, and any packets are lost', () => {
  it(`bring an endpoint back to no address that it left for a newer one, but by the rule, in ${SCHEDULES} schedules`, async () => {
    const sum = { moves: 0, returns: 0, held: 0, rounds: 0 };
    for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
      const { broken, ...counts } = await new World(seed).run();
      if (broken !== null) expect.fail(`schedule ${seed}: ${broken.what}\n${broken.log.join('\n')}`);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
    }
    // They are schedules in which something happens.
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) expect(sum[key]).toBeGreaterThan(SCHEDULES / 10);
    if (process.env['EIP_POOL_SCHEDULES'] !== undefined) process.stderr.write(`${JSON.stringify(sum)}\n`);
  }, 3_600_000);
});
