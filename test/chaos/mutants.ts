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

type MutantName = 'unknownWrites' | 'recheck' | 'call' | 'failedAttempt' | 'sharedError' | 'context' | 'localFailure';

export const MUTANTS: Readonly<Record<MutantName, Mutant>> = {
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
    patches: [
      {
        file: 'outcome/statement.js',
        find: "new Set(['call', 'do', 'execute'])",
        replace: "new Set(['do', 'execute'])",
      },
    ],
  },
  failedAttempt: {
    name: 'gives a caller to an attempt that has failed',
    patches: [
      {
        file: 'failover/pending-connections.js',
        find: 'this.#caller = null;\n        this.#all.delete(this);',
        replace: '',
      },
    ],
  },
  sharedError: {
    name: 'ends all connections of a server that has been left with one error',
    patches: [
      {
        file: 'errors.js',
        find: 'errorFor({ code, message, cause }) {\n    return new EipPoolError(',
        replace:
          'errorFor({ code, message, cause }) {\n    return (errorFor.all ??= {})[message] ??= new EipPoolError(',
      },
    ],
  },
  context: {
    name: "takes a transaction for nested by its context alone, and calls back in anybody's",
    patches: [
      { file: 'async-context.js', find: "if (typeof callback !== 'function' || internal)", replace: 'if (true)' },
      {
        file: 'async-context.js',
        find: 'return nobodys.runInAsyncScope(fn, undefined, ...args);',
        replace: 'return fn(...args);',
      },
      {
        file: 'async-context.js',
        find: 'return internal ? null : new AsyncResource',
        replace: 'return null && new AsyncResource',
      },
    ],
  },
  localFailure: {
    name: 'takes a failure of its own for the silence of the server',
    patches: [
      {
        file: 'sockets/evidence.js',
        find: "? 'silence' : 'none'",
        replace: "? 'silence' : 'silence'",
      },
    ],
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
