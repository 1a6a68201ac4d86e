import { EipPoolError } from '../errors.js';
import { type AddressSource, loopbackAddresses } from './loopback.js';

/** Counts the packets that this machine sent to one address. */
export interface PacketCounter {
  readonly address: string;
  /** Sent since the counter was made. */
  packets(): Promise<number>;
}

/** What the lab runs on: {@link LabOptions.network}. */
export interface LabNetwork {
  readonly kind: 'loopback' | 'real';
  /**
   * Counts packets to an address that is not the lab's, which all get lost: the proof that nothing was sent to a public
   * address. `LAB_UNAVAILABLE` on loopback, where a packet would really leave.
   */
  countPackets(address: string): Promise<PacketCounter>;
}

/** Internal: one TCP connection, by its two ends. */
export interface TcpFlow {
  readonly client: readonly [address: string, port: number];
  readonly host: readonly [address: string, port: number];
}

/** Internal: where addresses and lost packets come from. */
export interface Network extends LabNetwork {
  readonly addresses: AddressSource;
  readonly dns: Readonly<Record<'private' | 'public', { readonly address: string; readonly port: number }>>;
  /** From then on every packet to and from these addresses gets lost. */
  drop(addresses: readonly string[]): Promise<void>;
  undrop(addresses: readonly string[]): Promise<void>;
  /** From then on every packet of these connections gets lost, both ways. On loopback the host's proxy alone falls silent. */
  dropFlows(flows: readonly TcpFlow[]): Promise<void>;
  undropFlows(flows: readonly TcpFlow[]): Promise<void>;
  close(): Promise<void>;
}

export function loopbackNetwork(): Network {
  return {
    kind: 'loopback',
    addresses: loopbackAddresses(),
    dns: { private: { address: '127.0.0.1', port: 0 }, public: { address: '127.0.0.1', port: 0 } },
    countPackets: () => refuse('countPackets()'),
    drop: () => refuse('blackhole(), which loses packets (stall() does not, and works here),'),
    undrop: () => Promise.resolve(),
    dropFlows: () => Promise.resolve(),
    undropFlows: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function refuse(what: string): Promise<never> {
  const text = `${what} needs a network of its own: run the test by runInNetwork() (Linux; probeRealNetwork() tells)`;
  return Promise.reject(new EipPoolError('LAB_UNAVAILABLE', text));
}
