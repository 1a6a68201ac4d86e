import type * as DnsPacket from 'dns-packet';
import { EipPoolError } from '../errors.js';

/** The DNS wire format, which is not ours to write. */
export type Wire = typeof DnsPacket;

/** Loaded on demand: dns-packet is an optional peer, and only the lab needs it. */
export async function loadWire(): Promise<Wire> {
  try {
    const loaded = await import('dns-packet');
    return 'default' in loaded ? (loaded.default as Wire) : loaded;
  } catch (error) {
    throw new EipPoolError(
      'LAB_UNAVAILABLE',
      'the lab needs the package dns-packet: npm install --save-dev dns-packet',
      {
        cause: error,
      },
    );
  }
}
