import { isIPv4 } from 'node:net';
import { canonicalAddress } from '../../endpoint/address.js';

/** The two ends of a client's connection to the proxy, as `net` tells them; a Unix socket has none. */
export interface FrontEnds {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** HAProxy, doc/proxy-protocol.txt, 2.2. Binary header format (version 2). */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const [VERSION_2_LOCAL, VERSION_2_PROXY] = [0x20, 0x21];
const [UNSPECIFIED, TCP_OVER_IPV4, TCP_OVER_IPV6] = [0x00, 0x11, 0x21];

/** For a connection of the proxy's own, as that of a question whether the server lives. */
export const LOCAL_HEADER: Buffer = header(VERSION_2_LOCAL, UNSPECIFIED, Buffer.alloc(0));

/** Who the client is, for a server that is told so before the first byte of the client. */
export function proxyHeader({ remoteAddress, remotePort, localAddress, localPort }: FrontEnds): Buffer {
  const [from, to] = [canonicalAddress(remoteAddress), canonicalAddress(localAddress)];
  if (from === null || to === null || remotePort === undefined || localPort === undefined) {
    return header(VERSION_2_PROXY, UNSPECIFIED, Buffer.alloc(0));
  }
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(remotePort, 0);
  ports.writeUInt16BE(localPort, 2);
  const family = isIPv4(from) && isIPv4(to) ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const bytes = family === TCP_OVER_IPV4 ? ipv4Bytes : ipv6Bytes;
  return header(VERSION_2_PROXY, family, Buffer.concat([bytes(from), bytes(to), ports]));
}

function header(command: number, family: number, addresses: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(addresses.length);
  return Buffer.concat([SIGNATURE, Buffer.from([command, family]), length, addresses]);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** The canonical form has no IPv4 in it, but an address of a mixed pair may be one: then it is mapped. */
function ipv6Bytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), ipv4Bytes(address)]);
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = Array<number>(8 - left.length - right.length).fill(0);
  return Buffer.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]));
}
