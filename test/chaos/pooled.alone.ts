import { expect, it } from 'vitest';
import { suiteWith } from '../suite-with.js';
import { chaos } from './command.js';

suiteWith('pgbouncer', 'failovers under load of poolers, each in front of a server of its own', () => {
  it('pg, while poolers are full too', async () => {
    const { status, text } = await chaos('--mode', 'pooled', '--failovers', '6');
    expect(status, text).toBe(0);
    expect(text).toContain('nothing hung, nothing twice, nothing lost');
  }, 300_000);
});
