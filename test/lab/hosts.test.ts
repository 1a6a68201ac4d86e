import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';

let lab: Lab;
beforeEach(async () => {
  lab = await startLab();
});
afterEach(() => lab.close());

interface Client {
  readonly socket: Socket;
  /** What came so far. */
  text(): string;
  /** `'FIN'`, or the code of the error. */
  readonly ended: Promise<string>;
}

async function dial(address: string = lab.current.address): Promise<Client> {
  const socket = connect(lab.port, address);
  let text = '';
  socket.on('data', (chunk) => void (text += chunk));
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.on('end', () => resolve('FIN'));
  });
  await Promise.race([once(socket, 'connect'), ended]);
  return { socket, text: () => text, ended };
}

async function refusal(address: string = lab.current.address): Promise<string> {
  return await (
    await dial(address)
  ).ended;
}

async function echo(client: Client, word: string): Promise<void> {
  client.socket.write(word);
  await expect.poll(() => client.text()).toContain(word);
}

describe('a host', () => {
  it('has an address of its own on the one port of the lab, and echoes', async () => {
    expect(new Set(lab.hosts.map((host) => host.address)).size).toBe(2);
    for (const host of lab.hosts) {
      expect(host.port).toBe(lab.port);
      await echo(await dial(host.address), host.id);
    }
  });

  it('counts its connections, by address too', async () => {
    const [host] = lab.hosts;
    const clients = [await dial(), await dial()];
    await expect.poll(() => host!.connections).toBe(2);
    clients[0]!.socket.end();
    await expect.poll(() => host!.connections).toBe(1);
    await lab.move(host!);
    await dial();
    await expect.poll(() => host!.accepted).toBe(3);
    expect([...host!.acceptedBy]).toEqual([
      [host!.addresses[0], 2],
      [host!.addresses[1], 1],
    ]);
  });

  it('answers a FIN with what it still has to say, and then a FIN', async () => {
    const client = await dial();
    client.socket.end('last words');
    expect(await client.ended).toBe('FIN');
    expect(client.text()).toBe('last words');
  });

  it('carries more than any buffer holds, and in order', async () => {
    const client = await dial();
    const sent = Buffer.alloc(8_000_000, 'abcdefghij');
    client.socket.end(sent);
    expect(await client.ended).toBe('FIN');
    expect(client.text() === sent.toString()).toBe(true);
  });
});

describe('kill', () => {
  it('resets open connections, refuses new ones, and is undone by restore', async () => {
    const client = await dial();
    await echo(client, 'before');
    lab.current.kill();
    expect(await client.ended).toBe('ECONNRESET');
    expect(await refusal()).toBe('ECONNREFUSED');
    await lab.current.restore();
    await echo(await dial(), 'after');
  });

  it('leaves no connection half made', async () => {
    const clients = Array.from({ length: 20 }, () => dial());
    lab.current.kill();
    for (const client of await Promise.all(clients)) expect(await client.ended).toMatch(/ECONNRE/);
    expect(lab.current.connections).toBe(0);
  });
});

describe('refuse', () => {
  it('refuses new connections and leaves open ones alone', async () => {
    const client = await dial();
    await echo(client, 'before');
    lab.current.refuse();
    expect(await refusal()).toBe('ECONNREFUSED');
    await echo(client, 'still');
  });
});

describe('stall', () => {
  it('takes connections and bytes and gives nothing back; after restore they go on', async () => {
    const old = await dial();
    await echo(old, 'before');
    lab.current.stall();
    const young = await dial();
    old.socket.write('one');
    young.socket.write('two');
    // A host that is not stalled had its turns by the time that another one has echoed.
    await echo(await dial(lab.hosts[1]!.address), 'elsewhere');
    expect(old.text() + young.text()).toBe('before');
    await lab.current.restore();
    await expect.poll(() => old.text()).toBe('beforeone');
    await expect.poll(() => young.text()).toBe('two');
  });

  it('closes nothing, whatever the client does', async () => {
    const [polite, rude] = [await dial(), await dial()];
    await echo(polite, 'x');
    await echo(rude, 'x');
    lab.current.stall();
    polite.socket.end();
    rude.socket.resetAndDestroy();
    await echo(await dial(lab.hosts[1]!.address), 'elsewhere');
    expect(polite.socket.readableEnded).toBe(false);
    await lab.current.restore();
    expect(await polite.ended).toBe('FIN');
    await expect.poll(() => lab.current.connections).toBe(0);
  });

  it('can turn into death', async () => {
    const client = await dial();
    await echo(client, 'x');
    lab.current.stall();
    client.socket.write('held');
    lab.current.kill();
    expect(await client.ended).toBe('ECONNRESET');
    expect(client.text()).toBe('x');
  });
});

describe('loseFlows', () => {
  it('silences the connections that are open, for both sides and for good, and no later one', async () => {
    const [old, closed] = [await dial(), await dial()];
    await echo(old, 'before');
    await lab.current.loseFlows();
    old.socket.write('lost');
    closed.socket.end();
    await echo(await dial(), 'fresh');
    expect([old.text(), closed.socket.readableEnded, lab.current.connections]).toEqual(['before', false, 3]);
    lab.current.slow(0);
    await echo(await dial(), 'as fresh');
    expect(old.text()).toBe('before');
  });

  it('ends with restore, as a reset', async () => {
    const [old, other] = [await dial(), await dial(lab.hosts[1]!.address)];
    await lab.current.loseFlows();
    const young = await dial();
    await lab.current.restore();
    expect(await old.ended).toBe('ECONNRESET');
    await echo(young, 'young');
    await echo(other, 'other');
  });
});

describe('slow', () => {
  it('holds data and FIN back without losing their order', async () => {
    const client = await dial();
    await echo(client, 'a');
    lab.current.slow(3_600_000);
    client.socket.write('b');
    client.socket.end('c');
    await echo(await dial(lab.hosts[1]!.address), 'elsewhere');
    expect(client.text()).toBe('a');
    lab.current.slow(10);
    expect(await client.ended).toBe('FIN');
    expect(client.text()).toBe('abc');
  });

  it('takes a duration in milliseconds and nothing else', () => {
    expect(() => lab.current.slow(-5)).toThrow(/slow\.millis/);
    expect(lab.current.fault).toEqual({ kind: 'none' });
  });
});

describe('resetConnections', () => {
  it('resets what is open and goes on', async () => {
    const client = await dial();
    await echo(client, 'x');
    lab.current.resetConnections();
    expect(await client.ended).toBe('ECONNRESET');
    await echo(await dial(), 'again');
  });
});

describe('move', () => {
  it('gives the host a fresh address and leaves the connections on the old one as they are', async () => {
    const [host] = lab.hosts;
    const before = host!.address;
    const client = await dial();
    await echo(client, 'before');
    const called = performance.now();
    const { from, to, at } = await lab.move(host!);
    expect(from).toBe(before);
    expect(host!.addresses).toEqual([before, to]);
    expect(at).toBeGreaterThanOrEqual(called);
    expect(lab.dns.answer.a).toEqual([to]);
    await echo(client, 'after');
    await echo(await dial(to), 'new');
    await echo(await dial(before), 'old');
  });

  it('points the name to another host', async () => {
    const { from, to } = await lab.move(lab.hosts[1]!);
    expect(from).toBe(lab.hosts[0]!.address);
    expect(lab.current).toBe(lab.hosts[1]);
    expect(to).toBe(lab.current.address);
  });

  it('can be a return to the address that the host had', async () => {
    const { from } = await lab.move(lab.hosts[1]!);
    expect((await lab.move(lab.hosts[0]!, { fresh: false })).to).toBe(from);
  });

  it('changes the answer after the delay, and not before', async () => {
    const [before] = lab.dns.answer.a;
    const moving = lab.move(lab.hosts[1]!, { delayMillis: 30 });
    expect(lab.dns.answer.a).toEqual([before]);
    const { to } = await moving;
    expect(lab.dns.answer.a).toEqual([to]);
  });

  it('to a dead host is possible, as it is in EC2', async () => {
    lab.hosts[1]!.kill();
    const { to } = await lab.move(lab.hosts[1]!);
    expect(await refusal(to)).toBe('ECONNREFUSED');
  });

  it('to a host of another lab is an error', async () => {
    await using other = await startLab({ hosts: 1 });
    await expect(lab.move(other.hosts[0]!)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});

describe('the database of a host that echoes', () => {
  it('dies and comes back with the host', async () => {
    const { database } = lab.current;
    expect(database).toMatchObject({ kind: 'tcp-echo', port: lab.port });
    await database.kill();
    expect(await refusal()).toBe('ECONNREFUSED');
    await database.restart();
    await echo(await dial(), 'back');
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'LAB_UNAVAILABLE' });
  });
});
