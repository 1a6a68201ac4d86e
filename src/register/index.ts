/**
 * `node --import eip-pool/register app.js`: every copy of pg and mysql2 that the application loads follows names.
 *
 * Both drivers are CommonJS, whether they are imported or required, so what Node does with a `.js` file is the one place
 * that all of them pass: before anybody gets the driver's module, hooks of other tools included.
 */
import Module from 'node:module';
import path from 'node:path';
import { debuglog } from 'node:util';
import { messageOf } from '../errors.js';
import type { Defaults } from '../failover/options.js';
import { entryOf, isSupported, SUPPORTED } from './entries.js';
import { placeFor } from './places.js';

/**
 * This file is CommonJS for everybody: what it needs it loads only then, in the middle of the application's `require`.
 * Where Node can, that is the very code that an application's `import 'eip-pool'` gives.
 */
const BUILD = (process.features as { readonly require_module?: boolean }).require_module ? '../../esm/register' : '.';

const debug = debuglog('eip-pool');
/** Set on the process's loader, for another copy of this package. */
const REGISTERED: unique symbol = Symbol.for('eip-pool.registered') as never;

type Loader = (module: NodeJS.Module, filename: string) => void;
type Extensions = Record<'.js', Loader> & { [REGISTERED]?: boolean };

const { _extensions: extensions } = Module as unknown as { readonly _extensions: Extensions };
if (extensions[REGISTERED] !== true) {
  register(defaultsFor(path.dirname(path.resolve(process.argv[1] ?? 'app'))));
}

function defaultsFor(folder: string): Defaults {
  const place = placeFor(folder, process.env);
  if (place === null) return () => ({});
  const { defaultsOf, read } = require(`${BUILD}/config.js`) as typeof import('./config.js');
  return defaultsOf(read(place.text, place.name));
}

function register(defaults: Defaults): void {
  let taken = 0;
  const load = extensions['.js'];
  extensions['.js'] = (module, filename) => {
    load(module, filename);
    if (take(module, filename, defaults)) taken++;
  };
  Object.defineProperty(extensions, REGISTERED, { value: true });
  if (!debug.enabled) return;
  process.once('exit', () => {
    if (taken === 0)
      debug('neither pg nor mysql2 was loaded; a copy that is bundled into the application cannot be seen');
  });
}

/** Never fails: an application that runs without us runs with us. */
function take(module: NodeJS.Module, filename: string, defaults: Defaults): boolean {
  const entry = entryOf(filename);
  if (entry === null) return false;
  const { driver, version, folder } = entry;
  if (!isSupported(entry)) {
    const { from, below } = SUPPORTED[driver];
    warn(
      `${driver} ${version} in ${folder} does not follow names: expected ${from.join('.')} or later, below ${below}`,
    );
    return false;
  }
  try {
    const { takeOver } = require(`${BUILD}/drivers.js`) as typeof import('./drivers.js');
    module.exports = takeOver(
      entry,
      module.exports as object,
      (file) => module.require(`./${file}`) as object,
      defaults,
    );
  } catch (error) {
    warn(`${driver} ${version} in ${folder} does not follow names: ${messageOf(error)}`);
    return false;
  }
  debug('%s %s was taken over: %s', driver, version, filename);
  return true;
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'EipPoolWarning', code: 'REGISTER' });
}
