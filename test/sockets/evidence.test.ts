import { describe, expect, it } from 'vitest';
import { type Evidence, evidenceOf, isRefused, type Question, verdictOf } from '../../src/sockets/evidence.js';

const failed = (code: string): Question => ({ kind: 'ended', error: Object.assign(new Error(code), { code }) });

describe('what a question says of the server', () => {
  it.each<[string, Question, Evidence]>([
    ['a byte', { kind: 'answered' }, 'life'],
    ['a refusal', failed('ECONNREFUSED'), 'life'],
    ['a reset', failed('ECONNRESET'), 'life'],
    ['a write to a socket that was reset', failed('EPIPE'), 'life'],
    ['a connection that the other side closes', { kind: 'ended', error: null }, 'life'],
    ['a connection request without an answer', { kind: 'dialling' }, 'silence'],
    ['a connection on which nothing is said', { kind: 'reached' }, 'silence'],
    ['the end of the kernel’s patience', failed('ETIMEDOUT'), 'silence'],
    ['no file descriptor in this process', failed('EMFILE'), 'none'],
    ['none in this machine', failed('ENFILE'), 'none'],
    ['no local port', failed('EADDRNOTAVAIL'), 'none'],
    ['no route', failed('ENETUNREACH'), 'none'],
    ['a router’s word', failed('EHOSTUNREACH'), 'none'],
    ['a firewall of this machine', failed('EPERM'), 'none'],
    ['a login that this side has given up, whatever for', { kind: 'given-up' }, 'none'],
  ])('%s', (_what, question, evidence) => {
    expect(evidenceOf(question)).toBe(evidence);
  });

  it('is told apart: one that takes no connections, and one that speaks', () => {
    expect(['ECONNREFUSED', 'ECONNRESET'].map((code) => isRefused(failed(code)))).toEqual([true, true]);
    expect(isRefused({ kind: 'ended', error: null })).toBe(true);
    expect([isRefused({ kind: 'answered' }), isRefused(failed('EMFILE'))]).toEqual([false, false]);
  });
});

describe('two questions', () => {
  it('make a server dead only where both were met with silence', () => {
    const all: readonly Evidence[] = ['life', 'silence', 'none'];
    const dead = all.flatMap((first) =>
      all.filter((second) => verdictOf(first, second) === 'dead').map((second) => [first, second]),
    );
    expect(dead).toEqual([['silence', 'silence']]);
  });

  it('show life where either was answered, and nothing where this side failed', () => {
    expect([verdictOf('silence', 'life'), verdictOf('life', 'none')]).toEqual(['alive', 'alive']);
    expect([verdictOf('none', 'silence'), verdictOf('silence', 'none'), verdictOf('none', 'none')]).toEqual(
      Array(3).fill('unknown'),
    );
  });
});
