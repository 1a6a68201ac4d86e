import { execFile } from 'node:child_process';
import { isIPv4 } from 'node:net';
import { promisify } from 'node:util';
import { EipPoolError, messageOf } from '../errors.js';
import { invalidOption } from '../options.js';
import type { Network, PacketCounter, TcpFlow } from './lab-network.js';
import type { AddressSource } from './loopback.js';

const run = promisify(execFile);

/** The name servers of the network that {@link runInNetwork} makes. The first is in its resolv.conf. */
export const NAME_SERVERS: Readonly<Record<'private' | 'public', string>> = {
  private: '10.0.0.2',
  public: '10.0.0.3',
};

/** Where `ip` and `nft` are, for users whose PATH does not say. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
}

/** The two instances of the article that this library is about; further hosts are made up. */
const FIRST_ADDRESSES: readonly (readonly [string, number])[] = [
  ['10.254.171', 132],
  ['10.190.134', 5],
];
const LAST_OCTET: number = 254;
const TABLE: string = 'eip_pool_lab';

/**
 * Packets are counted as they are sent, and get lost as they arrive: a drop at the sender would be an error to it (EPERM),
 * which no lost packet is.
 */
const RULES: string = `
create table inet ${TABLE}
table inet ${TABLE} {
  set dropped { type ipv4_addr; }
  set outside { type ipv4_addr; }
  set lost { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
  chain sent { type filter hook output priority raw; policy accept; }
  chain arrives {
    type filter hook prerouting priority raw; policy accept;
    ip daddr @dropped drop
    ip saddr @dropped drop
    ip daddr @outside drop
    ip saddr . tcp sport . ip daddr . tcp dport @lost drop
  }
}`;

/** Inside a network namespace only: addresses of a VPC on `lo`, and nft to lose and count packets. */
export async function realNetwork(): Promise<Network> {
  await nft(RULES).catch((error: unknown) => {
    if (!messageOf(error).includes('File exists')) throw error;
    throw new EipPoolError('LAB_UNAVAILABLE', 'this network has a lab already: close it first', { cause: error });
  });
  const addresses = new VpcAddresses();
  const counters = new Map<string, PacketCounter>();
  return {
    kind: 'real',
    addresses,
    dns: {
      private: { address: NAME_SERVERS.private, port: 53 },
      public: { address: NAME_SERVERS.public, port: 53 },
    },
    drop: (list) => change('add', 'dropped', list),
    undrop: (list) => change('delete', 'dropped', list),
    dropFlows: (flows) => change('add', 'lost', flows.flatMap(bothWays)),
    undropFlows: (flows) => change('delete', 'lost', flows.flatMap(bothWays)),
    countPackets: async (address) => {
      const counter = counters.get(address) ?? (await count(address));
      counters.set(address, counter);
      return counter;
    },
    close: async () => {
      await nft(`delete table inet ${TABLE}`);
      await addresses.remove();
    },
  };
}

class VpcAddresses implements AddressSource {
  readonly #used: Map<number, number> = new Map();
  readonly #added: string[] = [];

  async next(hostIndex: number): Promise<string> {
    const [network, first] = FIRST_ADDRESSES[hostIndex] ?? [`10.64.${hostIndex}`, 5];
    const count = this.#used.get(hostIndex) ?? 0;
    this.#used.set(hostIndex, count + 1);
    const address = `${network}.${first + count}`;
    if (first + count > LAST_OCTET) throw new EipPoolError('LAB_UNAVAILABLE', `no address is left after ${address}`);
    await ip('add', address);
    this.#added.push(address);
    return address;
  }

  unavailable(address: string, cause: unknown): EipPoolError {
    return new EipPoolError('LAB_UNAVAILABLE', `the address ${address} could not be added to lo`, { cause });
  }

  async remove(): Promise<void> {
    for (const address of this.#added) await ip('del', address);
  }
}

async function ip(verb: 'add' | 'del', address: string): Promise<void> {
  await tool('ip', ['addr', verb, `${address}/32`, 'dev', 'lo']);
}

async function change(verb: 'add' | 'delete', set: string, elements: readonly string[]): Promise<void> {
  if (elements.length > 0) await nft(`${verb} element inet ${TABLE} ${set} { ${elements.join(', ')} }`);
}

function bothWays({ client, host }: TcpFlow): string[] {
  return [
    [...client, ...host],
    [...host, ...client],
  ].map((ends) => ends.join(' . '));
}

async function count(address: string): Promise<PacketCounter> {
  if (!isIPv4(address)) throw invalidOption('address', 'an IPv4 address', address);
  const name = `to_${address.replaceAll('.', '_')}`;
  await nft(
    `add counter inet ${TABLE} ${name}\n` +
      `add rule inet ${TABLE} sent ip daddr ${address} counter name ${name}\n` +
      `add element inet ${TABLE} outside { ${address} }`,
  );
  const packets = async (): Promise<number> => {
    const text = await tool('nft', ['-j', 'list', 'counter', 'inet', TABLE, name]);
    const { nftables } = JSON.parse(text) as { nftables: { counter?: { packets: number } }[] };
    return nftables.find((entry) => entry.counter !== undefined)?.counter?.packets ?? 0;
  };
  return { address, packets };
}

/** One transaction: all of it or nothing. */
async function nft(rules: string): Promise<void> {
  await tool('nft', [rules]);
}

async function tool(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(program, args, { env: environment() })).stdout;
  } catch (error) {
    throw new EipPoolError('LAB_UNAVAILABLE', `the lab's network: ${messageOf(error).trim()}`, { cause: error });
  }
}
