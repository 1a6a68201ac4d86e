import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Database, type DatabaseContext, type LabOptions, startLab } from '../../src/lab/index.js';
import { blockAddress, loopbackAddresses } from '../../src/lab/loopback.js';

describe('a wrong option', () => {
  const wrong: [unknown, RegExp][] = [
    [{ host: 2 }, /startLab\.host: no such option; did you mean startLab\.hosts\?/],
    [{ hosts: 0 }, /startLab\.hosts: expected an integer from 1/],
    [{ databases: 'postgres' }, /startLab\.databases.*'embedded-postgres'/],
    [{ name: 'not a name' }, /startLab\.name/],
    [{ publicName: 'db.internal' }, /startLab\.publicAddress: needed/],
    [{ publicAddress: 'x' }, /startLab\.publicAddress/],
    [{ ttlSeconds: -1 }, /startLab\.ttlSeconds/],
    [{ publicClients: ['10.0.0.0/99'] }, /startLab\.publicClients/],
    [{ postgres: { setting: {} } }, /startLab\.postgres\.setting: no such option/],
    [
      { postgres: { settings: { max_connections: 5 } } },
      /startLab\.postgres\.settings\.max_connections: expected a string/,
    ],
    [{ postgres: { ssl: { key: 'k', cert: 'c' } } }, /startLab\.postgres\.ssl\.key: expected a PEM text/],
    [{ log: 'yes' }, /startLab\.log/],
  ];
  it.each(wrong)('%j is a coded error that names it', async (options, message) => {
    const error = await startLab(options as LabOptions).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(message) as unknown });
  });

  it('never shows a key', async () => {
    const key = 'SECRET KEY WITHOUT MARKS';
    await expect(startLab({ postgres: { ssl: { key, cert: '' } } })).rejects.not.toThrow(/SECRET/);
  });
});

describe('addresses', () => {
  it('are of another block for another process, and never the same twice in one', () => {
    const blocks = [1, 2, 255, 32_768, 64_515].map((pid) => blockAddress(pid, 0));
    expect(new Set(blocks).size).toBe(blocks.length);
    const own = Array.from({ length: 2_000 }, (_, count) => blockAddress(4_711, count));
    expect(new Set(own).size).toBe(own.length);
    for (const address of own) expect(address).toMatch(/^127\.([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])\.\d+\.\d+$/);
  });

  it('are a short row on macOS, and the error names the command that adds one', async () => {
    const source = loopbackAddresses('darwin');
    expect([await source.next(0), await source.next(1)]).toEqual(['127.0.0.2', '127.0.0.3']);
    const error = source.unavailable('127.0.0.2', new Error('EADDRNOTAVAIL'));
    expect(error).toMatchObject({ code: 'LAB_UNAVAILABLE' });
    expect(error.message).toContain('sudo ifconfig lo0 alias 127.0.0.2');
  });

  it('do not collide between labs that run at the same time', async () => {
    const labs = await Promise.all(Array.from({ length: 5 }, () => startLab({ hosts: 3 })));
    const addresses = labs.flatMap((lab) => lab.hosts.map((host) => host.address));
    expect(new Set(addresses).size).toBe(15);
    await Promise.all(labs.map((lab) => lab.close()));
  });
});

const nothing = (): Promise<void> => Promise.resolve();

/** A server that says its number. */
function numbered(contexts: DatabaseContext[] = []): (context: DatabaseContext) => Promise<Database> {
  return async (context) => {
    contexts.push(context);
    const server = createServer((socket) => socket.on('error', () => undefined).end(`I am ${context.index}`));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const close = (): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));
    return {
      kind: 'numbered',
      address: '127.0.0.1',
      port,
      close,
      kill: close,
      suspend: nothing,
      resume: nothing,
      restart: nothing,
    };
  };
}

describe('a database of the user', () => {
  it('stands behind each host', async () => {
    await using lab = await startLab({ databases: numbered() });
    for (const [index, host] of lab.hosts.entries()) {
      const [text] = (await once(connect(lab.port, host.address), 'data')) as [Buffer];
      expect(String(text)).toBe(`I am ${index}`);
    }
    expect(lab.connection).toBeNull();
  });

  it('that is gone makes the host reset whom it accepts', async () => {
    await using lab = await startLab({ databases: numbered(), hosts: 1 });
    await lab.current.database.kill();
    const socket = connect(lab.port, lab.current.address);
    const [error] = (await once(socket, 'error').catch((thrown: unknown) => [thrown])) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  });

  it('that does not start leaves nothing of the others behind', async () => {
    const contexts: DatabaseContext[] = [];
    const make = numbered(contexts);
    const started: Database[] = [];
    const starting = startLab({
      databases: async (context) => {
        if (context.index === 1) throw new Error('no licence');
        const database = await make(context);
        started.push(database);
        return database;
      },
    });
    await expect(starting).rejects.toThrow('no licence');
    const socket = connect(started[0]!.port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    expect(existsSync(contexts[0]!.folder)).toBe(false);
  });
});

describe('close', () => {
  it('ends every connection and frees the ports, as often as it is called', async () => {
    const lab = await startLab();
    const socket = connect(lab.port, lab.current.address);
    await once(socket, 'connect');
    const ended = new Promise((resolve) => void socket.on('error', () => undefined).on('close', resolve));
    await Promise.all([lab.close(), lab.close()]);
    await ended;
    const again = createServer().listen(lab.port, lab.current.address);
    await once(again, 'listening');
    again.close();
    await lab.close();
    await expect(lab.move(lab.hosts[1]!)).rejects.toMatchObject({ code: 'LAB_UNAVAILABLE' });
  });

  it('has a synchronous form for signal handlers', async () => {
    const lab = await startLab();
    lab.closeSync();
    await lab.close();
    expect(lab.snapshot().hosts.map((host) => host.connections)).toEqual([0, 0]);
  });

  it('leaves a snapshot that JSON can carry', async () => {
    await using lab = await startLab();
    const snapshot = JSON.parse(JSON.stringify(lab.snapshot())) as unknown;
    expect(snapshot).toMatchObject({ name: 'db.example.com', current: 'host-0', answer: [lab.current.address] });
  });
});
