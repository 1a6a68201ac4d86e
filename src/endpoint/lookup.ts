import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { EipPoolError } from '../errors.js';
import { type Address, familyOf } from './address.js';
import type { Answer } from './answer.js';
import { canonicalName } from './name.js';

export type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** The shape of `dns.lookup`, as `net.connect({ lookup })` calls it. */
export type LookupFunction = (
  hostname: string,
  options: LookupOptions | number | LookupCallback,
  callback?: LookupCallback,
) => void;

interface Answering {
  readonly name: string;
  readonly refusal: EipPoolError | null;
  ready(): Promise<Answer>;
}

export function answerLookup(
  endpoint: Answering,
  hostname: string,
  given: LookupOptions | number | LookupCallback,
  last?: LookupCallback,
): void {
  const callback = typeof given === 'function' ? given : last;
  if (typeof callback !== 'function') throw new TypeError('lookup needs a callback');
  const options = readLookupOptions(given);
  // What is no text is that function's to judge, too.
  if (typeof hostname !== 'string' || canonicalName(hostname) !== canonicalName(endpoint.name)) {
    dns.lookup(hostname, options, callback);
    return;
  }
  const answer = async (): Promise<LookupAddress[]> => {
    const { addresses } = await endpoint.ready();
    if (endpoint.refusal !== null) throw endpoint.refusal;
    return pick(addresses, options, endpoint.name);
  };
  // The callback is called outside the promise, so that what it throws is its own, as with `dns.lookup`.
  const reply = (error: NodeJS.ErrnoException | null, found: LookupAddress[]): void => {
    const [first] = found;
    if (options.all === true || first === undefined) process.nextTick(callback, error, found);
    else process.nextTick(callback, error, first.address, first.family);
  };
  answer().then(
    (found) => reply(null, found),
    (error: NodeJS.ErrnoException) => reply(error, []),
  );
}

function pick(addresses: readonly Address[], options: LookupOptions, name: string): LookupAddress[] {
  const wanted = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
  const found = addresses
    .map((address) => ({ address, family: familyOf(address) }))
    .filter(({ family }) => wanted === 0 || family === wanted);
  if (found.length > 0) return found;
  throw noAddressOf(wanted, name, addresses);
}

/** As `dns.lookup` reads them: what is no object and no number is none, null too. */
function readLookupOptions(given: unknown): LookupOptions {
  if (typeof given === 'number') return { family: given };
  return typeof given === 'object' && given !== null ? given : {};
}

export function noAddressOf(family: number, name: string, addresses: readonly Address[]): EipPoolError {
  return new EipPoolError('NO_ADDRESS', `${name} has no IPv${family} address; it has ${addresses.join(', ')}`);
}
