#!/usr/bin/env node
import { FAILED } from './command.js';
import { run } from './run.js';

// What the SDK says of this Node version is for the developers of a program, not for the users of a command.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const enough = new AbortController();
let told = false;
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    // The second one is for now. Its default would do, but the first process of a container has none.
    if (told) process.exit(status);
    told = true;
    enough.abort();
  });
}
// Nobody reads on, as of `eip-pool watch … | head`: what was begun is still put in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => enough.abort());

const status = await run(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    terminal: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  },
  enough.signal,
);
// Look-ups that were given up may hold the process; what was written goes out first.
process.stdout.write('', (error) => process.exit(error == null ? status : status || FAILED));
