import { createRequire } from 'node:module';
import { isEipPoolError, messageOf } from '../errors.js';
import { nearest } from '../options.js';
import { readArgs, UsageError } from './args.js';
import { type Command, FAILED, type ForeignCommand, MISUSED, OK } from './command.js';
import { commands } from './commands.js';
import { helpOf, overview } from './help.js';
import { Output, type Streams } from './output.js';

/** Runs one command line; resolves to the exit status. */
export async function run(argv: readonly string[], streams: Streams, signal: AbortSignal): Promise<number> {
  const json = argv.includes('--json');
  try {
    if (argv[0] === '--version' || argv[0] === '-v') {
      streams.out(`${version()}\n`);
      return OK;
    }
    const found = findCommand(argv);
    if (found === null) {
      streams.out(`${overview(commands)}\n`);
      return argv.length === 0 ? MISUSED : OK;
    }
    const { command, rest } = found;
    if ('runForeign' in command) return await command.runForeign([...rest]);
    if (rest.includes('--help') || rest.includes('-h')) {
      streams.out(`${helpOf(command)}\n`);
      return OK;
    }
    const args = readArgs(rest, command.options, command.maxPositionals);
    return await command.run(args, { output: new Output(streams, json), signal });
  } catch (error) {
    const misused = error instanceof UsageError;
    const code = isEipPoolError(error) || misused ? error.code : 'FAILED';
    if (json) streams.out(`${JSON.stringify({ error: { code, message: messageOf(error) } })}\n`);
    else streams.error(`eip-pool: ${messageOf(error)}${code === 'USAGE' ? '\nTry: eip-pool --help' : ''}\n`);
    return misused || code === 'INVALID_OPTION' ? MISUSED : FAILED;
  }
}

function version(): string {
  const { version } = createRequire(import.meta.url)('eip-pool/package.json') as { readonly version: string };
  return version;
}

/** The command with the longest name that the line begins with; null where help was asked for. */
function findCommand(
  argv: readonly string[],
): { readonly command: Command | ForeignCommand; readonly rest: readonly string[] } | null {
  const [first, second] = argv;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') return null;
  const command =
    commands.find(({ name }) => name === `${first} ${second ?? ''}`) ?? commands.find(({ name }) => name === first);
  if (command !== undefined) return { command, rest: argv.slice(command.name.split(' ').length) };
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0 && (second === undefined || second.startsWith('-'))) {
    throw new UsageError(`${first} what? One of: ${group.map(({ name }) => name).join(', ')}`);
  }
  const names = (group.length > 0 ? group : commands).map(({ name }) => name);
  const said = group.length > 0 ? `${first} ${second}` : first;
  throw new UsageError(`no command '${said}'; did you mean '${nearest(said, names)}'?`);
}
