import { codeOf } from '../../errors.js';

/** c-ares and every resolver stop somewhere; real chains have one to three names. */
const MAX_HOPS = 8;

/**
 * The names that a name leads to, nearest first. Null when it could not be found out; a chain that loops ends where
 * it meets itself. Never throws: nothing that decides where to connect depends on it.
 */
export async function cnameChain(
  name: string,
  signal: AbortSignal,
  resolveCname: (alias: string) => Promise<readonly string[]>,
): Promise<readonly string[] | null> {
  const chain: string[] = [];
  let alias = name;
  try {
    while (chain.length < MAX_HOPS) {
      const [next] = await resolveCname(alias);
      if (next === undefined || next === name || chain.includes(next)) return chain;
      chain.push(next);
      alias = next;
    }
    return chain;
  } catch (error) {
    const code = codeOf(error);
    if (signal.aborted) return chain.length > 0 ? chain : null;
    return code === 'ENODATA' || code === 'ENOTFOUND' ? chain : null;
  }
}
