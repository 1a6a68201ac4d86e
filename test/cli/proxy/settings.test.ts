import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Args, readArgs } from '../../../src/cli/args.js';
import { type ProxySettings, PROXY_OPTIONS, readProxySettings } from '../../../src/cli/proxy/settings.js';
import { eipPool } from '../support.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'eip-pool-proxy-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
async function file(content: unknown): Promise<string> {
  const name = path.join(folder, `${++files}.json`);
  await writeFile(name, typeof content === 'string' ? content : JSON.stringify(content));
  return name;
}

const settings = (...argv: string[]): Promise<ProxySettings> => {
  const args: Args = readArgs(argv, PROXY_OPTIONS, 100);
  return readProxySettings(args);
};

describe('what a proxy is told', () => {
  it('is a route for each --listen, with the NAME:PORT at the same place', async () => {
    const { routes, admin, graceMillis } = await settings(
      ...['--listen', '127.0.0.1:5432', 'db.example.com:5432', '--listen', '[::1]:6379', 'cache.example.com:6380'],
      ...['--listen', '/run/eip-pool/a.sock', 'a.example.com:1', '--listen', 'unix:/run/b', 'b.example.com:2'],
    );
    expect(routes.map(({ listen, target }) => [listen, target])).toEqual([
      [
        { kind: 'tcp', host: '127.0.0.1', port: 5432 },
        { name: 'db.example.com', port: 5432 },
      ],
      [
        { kind: 'tcp', host: '::1', port: 6379 },
        { name: 'cache.example.com', port: 6380 },
      ],
      [
        { kind: 'unix', path: '/run/eip-pool/a.sock' },
        { name: 'a.example.com', port: 1 },
      ],
      [
        { kind: 'unix', path: '/run/b' },
        { name: 'b.example.com', port: 2 },
      ],
    ]);
    expect(routes[0]).toMatchObject({
      protocol: null,
      proxyProtocol: false,
      deadlineMillis: 30_000,
      drainMillis: 2_000,
      maxConnections: 2_000,
    });
    expect([admin, graceMillis]).toEqual([null, 8_000]);
  });

  it('may stand in a file, whose routes have what the command line says where they say nothing', async () => {
    const config = await file({
      routes: [
        { listen: '127.0.0.1:1', to: 'a.example.com:1', drainMillis: 7, follow: { allow: 'any' } },
        { listen: '127.0.0.1:2', to: 'b.example.com:2', protocol: 'mysql', proxyProtocol: false, maxConnections: 9 },
      ],
      admin: '127.0.0.1:9180',
      graceMillis: 5,
    });
    const { routes, admin, graceMillis } = await settings(
      ...['--config', config, '--drain', '100', '--protocol', 'postgres', '--proxy-protocol', '--interval', '500'],
      ...['--listen', '127.0.0.1:3', 'c.example.com:3'],
    );
    expect(routes).toMatchObject([
      { target: { name: 'c.example.com' }, drainMillis: 100, protocol: 'postgres' },
      { drainMillis: 7, protocol: 'postgres', proxyProtocol: true, follow: { allow: 'any', intervalMillis: 500 } },
      { drainMillis: 100, protocol: 'mysql', proxyProtocol: false, maxConnections: 9 },
    ]);
    expect([admin, graceMillis]).toEqual([{ kind: 'tcp', host: '127.0.0.1', port: 9180 }, 5]);
  });
});

const ROUTE = { listen: '127.0.0.1:1', to: 'a.example.com:1' };

describe('misuse is told with what was meant', () => {
  it.each([
    [[], /nothing to do: --listen/],
    [['db.example.com:5432'], /0 --listen, but 1 NAME:PORT/],
    [['--listen', '127.0.0.1:1', '--listen', '127.0.0.1:2', 'a.example.com:1'], /2 --listen, but 1 NAME:PORT/],
    [['--listen', '5432', 'a.example.com:1'], /option --listen: expected 'ADDRESS:PORT'.*got '5432'/],
    [['--listen', 'example.com:5432', 'a.example.com:1'], /option --listen: expected 'ADDRESS:PORT'/],
    [['--listen', '127.0.0.1:70000', 'a.example.com:1'], /option --listen/],
    [['--listen', '127.0.0.1:1', 'a.example.com'], /option NAME:PORT: expected 'NAME:PORT'.*got 'a\.example\.com'/],
    [['--listen', '127.0.0.1:1', 'a..b:1'], /option name/],
    [['--listen', '127.0.0.1:1', 'a.example.com:0'], /option NAME:PORT/],
    [
      ['--listen', '127.0.0.1:1', 'a.example.com:1', '--protocol', 'redis'],
      /--protocol: expected 'postgres' or 'mysql'/,
    ],
    [['--listen', '127.0.0.1:1', 'a.example.com:1', '--drain', '-1'], /--drain/],
    [
      ['--listen', '127.0.0.1:1', 'a.example.com:1', '--max-connections', '1.5'],
      /--max-connections: expected an integer/,
    ],
    [['--listen', '127.0.0.1:1', 'a.example.com:1', '--admin', '/run/a'], /option --admin: expected 'ADDRESS:PORT'/],
    [['--config', '/nowhere/at-all.json'], /--config: cannot read \/nowhere\/at-all\.json/],
  ])('%j', async (argv, message) => {
    const { status, error, out } = await eipPool(['proxy', ...argv]);
    expect(error).toMatch(message);
    expect([status, out]).toEqual([2, '']);
  });

  it.each([
    ['not JSON', /expected JSON/],
    [[], /option config: expected an object/],
    [{}, /config\.routes: expected an array/],
    [{ routes: [{ ...ROUTE, drain: 5 }] }, /config\.routes\[0\]\.drain: no such option; did you mean .*drainMillis/],
    [{ routes: [ROUTE, { listen: '127.0.0.1:1' }] }, /config\.routes\[1\]\.to: expected 'NAME:PORT'/],
    [{ routes: [{ ...ROUTE, protocol: 'pg' }] }, /config\.routes\[0\]\.protocol: expected 'postgres' or 'mysql'/],
    [{ routes: [{ ...ROUTE, follow: { alow: 'any' } }] }, /config\.routes\[0\]\.follow\.alow: no such option/],
    [{ routes: [ROUTE], admin: 'x' }, /config\.admin/],
  ])('in a file: %j', async (content, message) => {
    const config = await file(content);
    const { status, error } = await eipPool(['proxy', '--config', config]);
    expect(error).toContain(config);
    expect(error).toMatch(message);
    expect(status).toBe(2);
  });
});
