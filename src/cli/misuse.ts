import { messageOf } from '../errors.js';
import { nearest } from '../options.js';

/** What `parseArgs` says of arguments that it does not know, and the nearest option that it knows. */
export function explainMisuse(error: unknown, args: readonly string[], known: readonly string[]): string {
  const unknown = args.find((arg) => arg.startsWith('--') && !known.includes(arg.slice(2).split('=')[0] ?? ''));
  if (unknown === undefined) return messageOf(error);
  return `${messageOf(error)}; did you mean --${nearest(unknown.slice(2), known)}?`;
}
