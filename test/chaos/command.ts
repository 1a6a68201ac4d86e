import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Made by `npm test` before it runs the tests, as this library's build is. */
const MAIN = fileURLToPath(new URL('.out/test/chaos/main.js', import.meta.url));
/** The same each time, so that what fails once fails again. */
const SEED = 20_261_124;

export interface Ran {
  readonly status: number | null;
  readonly text: string;
}

export async function chaos(...args: readonly string[]): Promise<Ran> {
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, '--seed', `${SEED}`, ...args], (_, stdout, stderr) => {
      resolve({ status: child.exitCode, text: `${stderr}\n${stdout}` });
    });
  });
}
