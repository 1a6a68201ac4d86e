import { codeOf } from '../errors.js';

/**
 * Design, sockets rule 3, and the one place that says what a server is found dead by: only silence on the wire is evidence
 * of death. The server owed a byte on a socket of ours, at this address and port, and none came for a time in which this
 * process could read. Whatever comes from there is life: a byte, a refusal, a reset, the word of a pooler. Whatever happens
 * on this side is no evidence at all: a password that does not come, a certificate that is not trusted, no file descriptor,
 * no route, a timeout of the caller's. Pure: whoever asks owns the sockets and the time.
 */

/** How far a question on a socket of ours has come, as that socket alone saw it. */
export type Question =
  /** The connection is being made. */
  | { readonly kind: 'dialling' }
  /** It was made, so something there has the question, or knows that it is to speak first. */
  | { readonly kind: 'reached' }
  /** A byte came. */
  | { readonly kind: 'answered' }
  /** The socket failed, or the other side closed it (null), before a byte came. */
  | { readonly kind: 'ended'; readonly error: Error | null }
  /** This side closed it, or could not put the question. */
  | { readonly kind: 'given-up' };

export type Evidence = 'life' | 'silence' | 'none';

/** The other side's word for "no": whoever says it lives. */
const REFUSALS: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

export function isOver({ kind }: Question): boolean {
  return kind !== 'dialling' && kind !== 'reached';
}

/** What a question says of the server that is over, or whose time is. */
export function evidenceOf(question: Question): Evidence {
  switch (question.kind) {
    case 'answered':
      return 'life';
    case 'dialling':
    case 'reached':
      return 'silence';
    case 'ended':
      if (isRefused(question)) return 'life';
      // The kernel's own patience came to its end before ours.
      return codeOf(question.error) === 'ETIMEDOUT' ? 'silence' : 'none';
    case 'given-up':
      return 'none';
  }
}

/** Is it a server that lives, or a host without one, that takes no connection? */
export function isRefused(question: Question): boolean {
  return question.kind === 'ended' && (question.error === null || REFUSALS.has(codeOf(question.error)));
}

export type Verdict = 'alive' | 'dead' | 'unknown';

/**
 * Both questions were put one after the other; the first stayed open all the while. One alone may have been lost, and
 * where this side failed, nobody knows.
 */
export function verdictOf(first: Evidence, second: Evidence): Verdict {
  if (first === 'life' || second === 'life') return 'alive';
  return first === 'silence' && second === 'silence' ? 'dead' : 'unknown';
}
