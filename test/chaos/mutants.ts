import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One text of a compiled file, and what a careless change would make of it. */
interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A deliberately broken build, which the checker must see through. */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
}

export const MUTANTS: Readonly<Record<'unknownWrites' | 'recheck' | 'call', Mutant>> = {
  unknownWrites: {
    name: 'runs writes again whose outcome is unknown',
    patches: [{ file: 'outcome/replay.js', find: 'if (idempotent)', replace: 'if (true)' }],
  },
  recheck: {
    name: 'hands out a connection without a second look at its address',
    patches: [
      {
        file: 'sockets/tracked-socket.js',
        find: "case 'handshake':\n                if (!this.#host.has(state.address))",
        replace: "case 'handshake':\n                if (false)",
      },
      {
        file: 'sockets/tracked-socket.js',
        find: " && this.#host.has(address) ? 'open'",
        replace: " ? 'open'",
      },
      {
        file: 'sockets/tracked-socket.js',
        find: ' && this.#host.has(this.#state.address)',
        replace: '',
      },
    ],
  },
  call: {
    name: 'runs CALL again after a refusal in the middle of it',
    patches: [{ file: 'outcome/statement.js', find: '/^(call|do)$/', replace: '/^do$/' }],
  },
};

/** A copy of a build with its patches. Throws if there is not exactly one place for each of them. */
export async function build({ patches }: Mutant, library: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await cp(library, folder, { recursive: true });
  for (const { file, find, replace } of patches) {
    const path = join(folder, file);
    const [before, after, ...others] = (await readFile(path, 'utf8')).split(find);
    if (after === undefined || others.length > 0) throw new Error(`${file} has not exactly one '${find}'`);
    await writeFile(path, `${before}${replace}${after}`);
  }
}
