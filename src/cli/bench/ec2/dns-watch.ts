import { setTimeout } from 'node:timers/promises';
import type { Address } from '../../../endpoint/address.js';
import { sharedNow } from '../../failover/rpc.js';
import { inspect } from '../../inspect.js';
import type { Side } from './ground.js';
import type { Plan } from './options.js';
import { at } from './server.js';

/** When a name was first seen at its new address, and when somebody who was told of that had his first answer there. */
export interface Followed {
  readonly namedAt: number;
  readonly answeredAt: number;
}

const PAUSE_MILLIS = 100;
/** DNS that has not followed by then does not. */
const LONGEST_MILLIS = 120_000;

/** The bare limit of a switch: asks for nothing but the new address, ten times a second, then logs in there once. */
export async function followBare({ url, dnsServers }: Plan, side: Side, signal: AbortSignal): Promise<Followed> {
  const until = sharedNow() + LONGEST_MILLIS;
  while (!(await names(url.hostname, side.privateAddress, dnsServers))) {
    if (sharedNow() > until)
      throw new Error(`${url.hostname} did not answer ${side.privateAddress} in ${LONGEST_MILLIS} ms`);
    await setTimeout(PAUSE_MILLIS, undefined, { signal });
  }
  const namedAt = sharedNow();
  await at(url, side.privateAddress, (session) => session.query('select 1'));
  return { namedAt, answeredAt: sharedNow() };
}

async function names(name: string, address: Address, servers: readonly string[]): Promise<boolean> {
  const { addresses } = await inspect(name, servers.length === 0 ? undefined : servers);
  return addresses.includes(address);
}
