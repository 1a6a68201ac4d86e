import { EipPoolError } from '../errors.js';

/** Hands out addresses that no host had before. */
export interface AddressSource {
  next(hostIndex: number): Promise<string>;
  /** The error for an address that the machine does not have. */
  unavailable(address: string, cause: unknown): EipPoolError;
}

/** Process-wide, so that two labs of one process never share an address. */
let handedOut: number = 0;

/**
 * Loopback addresses. Linux and Windows answer on all of 127.0.0.0/8: the process id chooses the block, so that
 * test files that run side by side rarely meet; where they do, their ports differ. macOS answers on 127.0.0.1 only,
 * until others are configured: a short predictable row, the same for each lab.
 */
export function loopbackAddresses(platform: NodeJS.Platform = process.platform): AddressSource {
  return platform === 'linux' || platform === 'win32' ? wholeBlock() : aliases();
}

function wholeBlock(): AddressSource {
  return {
    next: () => Promise.resolve(blockAddress(process.pid, handedOut++)),
    unavailable: (address, cause) =>
      new EipPoolError('LAB_UNAVAILABLE', `this machine has no loopback address ${address}`, { cause }),
  };
}

/** 127.x.y.z with x, y from the process id and z from 1 to 254; after 254 addresses the next block of another process. */
export function blockAddress(pid: number, count: number): string {
  const block = (pid + Math.floor(count / 254) * 7_919) % (254 * 254);
  return `127.${1 + Math.floor(block / 254)}.${1 + (block % 254)}.${1 + (count % 254)}`;
}

function aliases(): AddressSource {
  let last = 1;
  return {
    next: () => Promise.resolve(`127.0.0.${++last}`),
    unavailable: (address, cause) =>
      new EipPoolError(
        'LAB_UNAVAILABLE',
        `this machine has no loopback address ${address}; add it with: sudo ifconfig lo0 alias ${address} ` +
          '(each host and each move to a fresh address needs one more; ' +
          'for 30 of them: for i in $(seq 2 31); do sudo ifconfig lo0 alias 127.0.0.$i; done)',
        { cause },
      ),
  };
}
