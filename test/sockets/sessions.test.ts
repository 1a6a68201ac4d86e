import { describe, expect, it } from 'vitest';
import {
  afterList,
  type Claim,
  type Idleness,
  isLost,
  type Session,
  type SessionList,
} from '../../src/sockets/sessions.js';

const claim: Claim = { id: 7, ageMillis: 60_000, client: '10.0.0.7:50000' };
/** A proxy stands between us and the server. */
const own: Session = { idleSince: null, ageMillis: 10, client: '10.0.0.9:3000' };
const idle: Session = { idleSince: 1_000, ageMillis: 60_100, client: '10.0.0.9:2000' };

function list(session: Partial<Session> | null = {}, changes: Partial<SessionList> = {}): SessionList {
  const sessions = new Map(session === null ? [] : [[7, { ...idle, ...session }]]);
  return { server: 'one', own, sessions, resolutionMillis: 1, ...changes };
}

function after(lists: readonly SessionList[], direct = false): Idleness | null {
  return lists.reduce<Idleness | null>((before, each) => afterList(before, each, claim, direct), null);
}

describe('a session that waits for us while we wait for it', () => {
  it('is lost when the server has said so twice, and it did nothing between', () => {
    expect(isLost(after([list()])!)).toBe(false);
    expect(isLost(after([list(), list()])!)).toBe(true);
  });

  it('is lost at the third time where only its number speaks for it, which another server may have given too', () => {
    const known = list({ ageMillis: null }, { resolutionMillis: 1_500 });
    expect(isLost(after([known, known])!)).toBe(false);
    expect(isLost(after([known, known, known])!)).toBe(true);
  });

  it.each<[string, SessionList]>([
    ['works', list({ idleSince: null })],
    ['is not there', list(null)],
    ['is another one with its number, by its age', list({ ageMillis: 5_000 })],
    ['comes from another host than all that we have there', list({ client: '10.0.0.8:2000' })],
    ['is one of a pooler, which does not know the number of the session that asks', list({}, { own: null })],
  ])('is none that %s: nothing is known any more', (_what, second) => {
    expect(after([list(), second])).toBeNull();
  });

  it.each<[string, SessionList]>([
    ['it has done something since', list({ idleSince: 1_002 })],
    ['another server says so', list({}, { server: 'two' })],
  ])('is counted anew where %s', (_what, second) => {
    expect(after([list(), second])).toMatchObject({ times: 1 });
  });

  it('is the same to the second where the server tells no more', () => {
    const roughly = { resolutionMillis: 1_500 };
    expect(after([list({}, roughly), list({ idleSince: 2_000 }, roughly)])).toMatchObject({ times: 2 });
    expect(after([list({}, roughly), list({ idleSince: 3_000 }, roughly)])).toMatchObject({ times: 1 });
  });

  it('is known by its end where nothing stands between', () => {
    const direct = list({ client: claim.client, ageMillis: null });
    expect(isLost(after([direct, direct], true)!)).toBe(true);
    expect(after([list()], true)).toBeNull();
  });
});
