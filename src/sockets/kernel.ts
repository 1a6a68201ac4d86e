import { createReadStream } from 'node:fs';
import { endianness } from 'node:os';
import { text } from 'node:stream/consumers';
import { type Address, familyOf } from '../endpoint/address.js';

/** One TCP connection of this process, as the kernel knows it. */
export interface FlowEnds {
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
}

/** What the kernel knows of a connection, that no byte of it would tell. */
export interface FlowFacts {
  /** Bytes that were sent, or are to be, and that the other side has not acknowledged. */
  readonly unacknowledged: number;
  /** Retransmissions, or probes of a closed window or of an idle connection, that were not answered since the last answer. */
  readonly unanswered: number;
  /** Bytes that have come, and that this process has not read. */
  readonly unread: number;
  /** Nothing is to be sent, and the kernel asks the other side by itself whether it is still there (keepalive). */
  readonly kept: boolean;
}

/** The witness of flows that die alone. */
export interface Kernel {
  /** Null for a flow of which nothing is known. Never rejects. */
  look(flows: readonly FlowEnds[]): Promise<readonly (FlowFacts | null)[]>;
}

/** Where no such thing can be asked. */
const silentKernel: Kernel = { look: (flows) => Promise.resolve(flows.map(() => null)) };

const TABLES = { 4: '/proc/self/net/tcp', 6: '/proc/self/net/tcp6' } as const;

/** Linux, Documentation/networking/proc_net_tcp: a line for each socket in this network. */
const linuxKernel: Kernel = {
  look: async (flows) => {
    const families = new Set(flows.map(({ remoteAddress }) => familyOf(remoteAddress)));
    const tables = new Map<4 | 6, string>();
    for (const family of families) tables.set(family, await tableOf(family));
    return flows.map((flow) => factsOf(tables.get(familyOf(flow.remoteAddress)) ?? '', flow));
  },
};

/** A file without a size, of which each read is a short one: `readFile` of Node 20.9 takes the first for the whole. */
function tableOf(family: 4 | 6): Promise<string> {
  return text(createReadStream(TABLES[family])).catch(() => '');
}

export const systemKernel: Kernel = process.platform === 'linux' ? linuxKernel : silentKernel;

/** `tr` of the table: which timer runs. */
const RETRANSMIT = 1;
const KEEPALIVE = 2;

/** The line of one flow: `sl local remote st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …` */
export function factsOf(
  table: string,
  { localAddress, localPort, remoteAddress, remotePort }: FlowEnds,
): FlowFacts | null {
  const ends = ` ${endText(localAddress, localPort)} ${endText(remoteAddress, remotePort)} `;
  const from = table.indexOf(ends);
  if (from < 0) return null;
  const [, queues = '', timer = '', retransmits = '', , probes = ''] = table
    .slice(from + ends.length, table.indexOf('\n', from))
    .split(/ +/);
  const [unacknowledged, unread] = queues.split(':').map((hex) => parseInt(hex, 16));
  if (unacknowledged === undefined || unread === undefined) return null;
  const kind = parseInt(timer, 16);
  const unanswered = kind === RETRANSMIT ? parseInt(retransmits, 16) : Number(probes);
  return { unacknowledged, unread, unanswered, kept: kind === KEEPALIVE };
}

/** Each 32-bit word in the order of this machine, in hexadecimal; the port as a number. */
function endText(address: Address, port: number): string {
  const bytes = bytesOf(address);
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4);
    if (endianness() === 'LE') word.reverse();
    text += word.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  return `${text}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function bytesOf(address: Address): number[] {
  if (familyOf(address) === 4) return address.split('.').map(Number);
  const [head = '', tail] = address.split('::');
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? [] : Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}
