/** `skip`: it could not be checked, and the text says why. */
export type Level = 'ok' | 'warn' | 'fail' | 'skip';

/** One line of the doctor. */
export interface Finding {
  readonly check: string;
  readonly level: Level;
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

export function finding(check: string, level: Level, text: string, advice?: string): Finding {
  return { check, level, text, advice };
}
