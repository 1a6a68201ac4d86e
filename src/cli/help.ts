import { COMMON_OPTIONS } from './args.js';
import type { Command, ForeignCommand } from './command.js';

export function overview(commands: readonly (Command | ForeignCommand)[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Follow a DNS name that moves, and move it.',
    '',
    'Usage: eip-pool COMMAND [options]',
    '',
    ...list,
    '',
    'eip-pool COMMAND --help tells more, --version which one this is. AWS credentials and Region come from where every AWS tool takes them.',
    'Exit status: 0 all well, 1 something failed, 2 not understood.',
  ].join('\n');
}

export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(
    ([name, { value, help }]) => [`--${name}${value === undefined ? '' : ` ${value}`}`, help] as const,
  );
  const width = Math.max(...options.map(([left]) => left.length));
  return [
    command.summary,
    '',
    `Usage: eip-pool ${command.name} ${command.usage}`,
    '',
    ...options.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`),
    '',
    'Examples:',
    ...command.examples.map((example) => `  eip-pool ${example}`),
  ].join('\n');
}
