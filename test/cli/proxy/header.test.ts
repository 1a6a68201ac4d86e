import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_HEADER, proxyHeader } from '../../../src/cli/proxy/header.js';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { behind, type ServerProgram } from '../../server-program.js';
import { suiteWith } from '../../suite-with.js';
import { Backend, connect, endProxies, ProxyProcess, textOf } from './support.js';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** As HAProxy's doc/proxy-protocol.txt, 2.2, tells a receiver to read it. */
function read(bytes: Buffer): { command: number; family: number; ends: string[]; rest: string } {
  expect(bytes.subarray(0, 12).toString('hex')).toBe(SIGNATURE);
  const [command, family, length] = [bytes[12]!, bytes[13]!, bytes.readUInt16BE(14)];
  const [block, rest] = [bytes.subarray(16, 16 + length), bytes.subarray(16 + length)];
  const size = family === 0x11 ? 4 : 16;
  const text = (at: number): string => {
    const address = block.subarray(at, at + size);
    return size === 4 ? [...address].join('.') : address.toString('hex');
  };
  const ends =
    family === 0x00
      ? []
      : [`${text(0)} ${block.readUInt16BE(2 * size)}`, `${text(size)} ${block.readUInt16BE(2 * size + 2)}`];
  return { command, family, ends, rest: rest.toString() };
}

describe('the header of the PROXY protocol', () => {
  it('tells both ends of an IPv4 connection, also where the socket is an IPv6 one', () => {
    for (const [remoteAddress, localAddress] of [
      ['192.0.2.1', '198.51.100.2'],
      ['::ffff:192.0.2.1', '::ffff:198.51.100.2'],
    ] as const) {
      const told = proxyHeader({ remoteAddress, remotePort: 56_324, localAddress, localPort: 443 });
      expect(read(told)).toEqual({
        command: 0x21,
        family: 0x11,
        ends: ['192.0.2.1 56324', '198.51.100.2 443'],
        rest: '',
      });
    }
  });

  it.each([
    ['::1', '00000000000000000000000000000001'],
    ['fd00::', 'fd000000000000000000000000000000'],
    ['2001:db8::a:0:1', '20010db8000000000000000a00000001'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
  ])('tells both ends of an IPv6 connection: %s', (address, hex) => {
    const told = proxyHeader({ remoteAddress: address, remotePort: 1, localAddress: '::1', localPort: 2 });
    const ends = [`${hex} 1`, '00000000000000000000000000000001 2'];
    expect(read(told)).toEqual({ command: 0x21, family: 0x21, ends, rest: '' });
  });

  it('tells of no ends where there are none, and that a question is of the proxy itself', () => {
    expect(read(proxyHeader({}))).toEqual({ command: 0x21, family: 0, ends: [], rest: '' });
    expect(read(LOCAL_HEADER)).toEqual({ command: 0x20, family: 0, ends: [], rest: '' });
  });
});

let lab: Lab;
const start = (listen: string, to: string, server: string): Promise<ProxyProcess> =>
  ProxyProcess.start(['--listen', listen, to, '--server', server, '--proxy-protocol']);
afterEach(endProxies);

/** Where a client of its own is. */
const endOf = ({ localAddress, localPort }: net.Socket): string => `${localAddress} ${localPort}`;

describe('--proxy-protocol', () => {
  let backend: Backend;
  let folder: string;
  beforeAll(async () => {
    lab = await startLab({ hosts: 1 });
    lab.dns.setAnswer({ a: ['127.0.0.1'] });
    backend = await Backend.listen();
    folder = await mkdtemp(path.join(os.tmpdir(), 'eip-pool-proxy-'));
  });
  afterAll(async () => {
    await backend.close();
    await lab.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('tells the server who the client is, before its first byte', async () => {
    const proxy = await start('127.0.0.1:0', `${lab.name}:${backend.port}`, lab.servers[0]!);
    const client = await connect({ port: proxy.port() });
    client.end('hello');
    const told = read(Buffer.from(await textOf(await backend.connection(1)), 'latin1'));
    expect(told).toMatchObject({ family: 0x11, ends: [endOf(client), `127.0.0.1 ${proxy.port()}`], rest: 'hello' });
  });

  it('tells of a client on a Unix socket that there is nothing to tell', async () => {
    const file = path.join(folder, 'a.sock');
    await start(file, `${lab.name}:${backend.port}`, lab.servers[0]!);
    (await connect({ path: file })).end('hello');
    const told = read(Buffer.from(await textOf(await backend.connection(2)), 'latin1'));
    expect(told).toMatchObject({ command: 0x21, family: 0, rest: 'hello' });
  });
});

/** Reads our header, and tells its server what it has read by one of the other version, which is text. */
function haProxy(port: number): ServerProgram {
  return {
    name: 'haproxy',
    ready: 'Loading success',
    args: (folder) => ['-W', '-db', '-f', `${folder}/haproxy.cfg`],
    files: (own) => ({
      'haproxy.cfg': `
global
  maxconn 100
defaults
  mode tcp
  timeout connect 1s
  timeout client 1m
  timeout server 1m
listen servers
  bind ${own.address}:${own.port} accept-proxy
  server first 127.0.0.1:${port} send-proxy
`,
    }),
  };
}

suiteWith('haproxy', '--proxy-protocol to HAProxy', () => {
  it('is understood', async () => {
    const backend = await Backend.listen();
    const haproxy = await startLab({ databases: behind(() => haProxy(backend.port)), hosts: 1 });
    try {
      const { address, port } = haproxy.hosts[0]!.database;
      haproxy.dns.setAnswer({ a: [address] });
      const proxy = await start('127.0.0.1:0', `${haproxy.name}:${port}`, haproxy.servers[0]!);
      const client = net.connect(proxy.port(), '127.0.0.1');
      await once(client, 'connect');
      client.end('hello');
      const text = await textOf(await backend.connection());
      expect(text).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${proxy.port()}\r\nhello`);
    } finally {
      await haproxy.close();
      await backend.close();
    }
  });
});
