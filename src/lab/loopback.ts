import type { AddressInfo, Server } from 'node:net';
import { EipPoolError } from '../errors.js';

/** Hands out addresses on which hosts can listen. */
export interface AddressPlan {
  /** A fresh address for this host; never the same twice. */
  next(host: number): string;
}

/**
 * Any 127.x.y.z can be listened on in Linux. Elsewhere each needs an alias, so there the addresses are few and the same
 * for every process.
 */
export class LoopbackPlan implements AddressPlan {
  static #used = 0;

  next(): string {
    const count = LoopbackPlan.#used++;
    if (process.platform !== 'linux') return `127.0.0.${2 + (count % 250)}`;
    // Processes that share the second octet have other ports.
    return `127.${16 + (process.pid % 200)}.${Math.floor(count / 250) % 250}.${2 + (count % 250)}`;
  }
}

/** Listens, or says what the machine lacks. Port 0 for any. */
export async function listen(server: Server, address: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRNOTAVAIL') throw error;
    const command =
      process.platform === 'darwin' ? `sudo ifconfig lo0 alias ${address}` : `ip addr add ${address}/8 dev lo`;
    throw new EipPoolError('LAB_UNAVAILABLE', `the lab cannot listen on ${address}; run: ${command}`, { cause: error });
  });
  return (server.address() as AddressInfo).port;
}
