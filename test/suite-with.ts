import { describe } from 'vitest';
import { findProgram } from './server-program.js';

/** Tests that need a program; where it is not installed they are skipped, and the suite's name says so. */
export function suiteWith(program: string, name: string, body: () => void): void {
  if (findProgram(program) !== null) describe(name, body);
  else describe.skip(`${name} (skipped: ${program} is not installed)`, body);
}
