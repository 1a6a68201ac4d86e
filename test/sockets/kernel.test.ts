import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { factsOf, type FlowEnds, systemKernel } from '../../src/sockets/kernel.js';

/** Lines of a little-endian machine, as all are on which this runs. */
const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (ends: string, rest: string): string =>
  `   0: ${ends} 01 ${rest}        0 45000 2 0000000000000000 20 4 1 10 -1`;

const ends: FlowEnds = {
  localAddress: '10.0.0.7',
  localPort: 50_000,
  remoteAddress: '10.254.171.132',
  remotePort: 5_432,
};
const ENDS = '0700000A:C350 84ABFE0A:1538';

const table = (...lines: string[]): string => [HEAD, ...lines, ''].join('\n');

describe('the kernel’s table', () => {
  it.each([
    ['nothing is to be sent', '00000000:00000000 02:000000A0 00000000  1000        0', [0, 0, 0, true]],
    ['bytes were sent again', '0000004B:00000000 01:00000014 00000003  1000        0', [75, 3, 0, false]],
    ['keepalive is not answered', '00000000:00000000 02:00000064 00000000  1000        4', [0, 4, 0, true]],
    ['a closed window is probed', '00001000:00000000 04:00000064 00000000  1000        2', [4_096, 2, 0, false]],
    ['bytes wait to be read', '00000000:000000FF 00:00000000 00000000  1000        0', [0, 0, 255, false]],
  ])('tells of a connection on which %s', (_what, rest, [unacknowledged, unanswered, unread, kept]) => {
    const facts = factsOf(table(line('00000000:1538 00000000:0000', rest), line(ENDS, rest)), ends);
    expect(facts).toEqual({ unacknowledged, unanswered, unread, kept });
  });

  it('tells nothing of a connection that is not in it', () => {
    expect(factsOf(table(line(ENDS, '0:0 00:0 0 0 0')), { ...ends, localPort: 50_001 })).toBeNull();
    expect(factsOf('', ends)).toBeNull();
  });

  it.each([
    ['fd00::1', '000000FD000000000000000001000000'],
    ['2001:db8:0:1:2:3:4:5', 'B80D0120010000000300020005000400'],
    ['::1', '00000000000000000000000001000000'],
    ['fe80::', '000080FE000000000000000000000000'],
  ])('has IPv6 addresses in words: %s', (address, words) => {
    const six = { ...ends, localAddress: address, remoteAddress: address };
    const there = table(line(`${words}:C350 ${words}:1538`, '00000001:00000000 01:00000014 00000001 0 0'));
    expect(factsOf(there, six)).toMatchObject({ unacknowledged: 1 });
  });
});

describe.skipIf(process.platform !== 'linux')('the kernel of this machine', () => {
  let server: net.Server;
  let client: net.Socket;
  let peer: net.Socket;

  beforeEach(async () => {
    server = net.createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.8');
    await once(server, 'listening');
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.8');
    [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[net.Socket], unknown];
  });
  afterEach(async () => {
    client.destroy();
    peer.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const endsOf = ({ localAddress, localPort, remoteAddress, remotePort }: net.Socket): FlowEnds =>
    ({ localAddress, localPort, remoteAddress, remotePort }) as FlowEnds;

  it('knows what was acknowledged, and what has not been read', async () => {
    client.setKeepAlive(true, 5_000);
    await new Promise<void>((resolve) => client.write('four', () => resolve()));
    const [ours, theirs, none] = await systemKernel.look([endsOf(client), endsOf(peer), ends]);
    expect(ours).toEqual({ unacknowledged: 0, unanswered: 0, unread: 0, kept: true });
    expect(theirs).toMatchObject({ unread: 4 });
    expect(none).toBeNull();
  });
});
