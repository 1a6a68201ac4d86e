import type { Command, ForeignCommand } from './command.js';
import { bench } from './commands/bench.js';
import { demo } from './commands/demo.js';
import { doctor } from './commands/doctor.js';
import { allocate, associate, describe, disassociate, release } from './commands/eip.js';
import { proxy } from './commands/proxy.js';
import { report } from './commands/report.js';
import { resolve } from './commands/resolve.js';
import { watch } from './commands/watch.js';

/** Every command, in the order of the help. */
export const commands: readonly (Command | ForeignCommand)[] = [
  resolve,
  watch,
  proxy,
  doctor,
  allocate,
  describe,
  associate,
  disassociate,
  release,
  demo,
  bench,
  report,
];
