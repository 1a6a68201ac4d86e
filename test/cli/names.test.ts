import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';
import { eipPool, useAws, withoutAws } from './support.js';

let lab: Lab;
let servers: string[];
beforeAll(async () => {
  // The commands give EC2 a second and a half; loading its SDK on a busy machine is no part of these tests.
  await import('@aws-sdk/client-ec2');
  lab = await startLab({ ec2: true });
  servers = ['--server', lab.servers[0]!];
});
beforeEach(async () => {
  useAws(lab);
  lab.dns.setMode({ kind: 'normal' });
  for (const host of lab.hosts) await host.restore();
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await lab.close();
});

describe('resolve', () => {
  it('shows the chain, each server, the view, the Elastic IP and the instance behind it', async () => {
    const { status, out } = await eipPool(['resolve', lab.name, ...servers, '--server', lab.publicServers[0]!]);
    const { instanceId } = lab.ec2.instances[0]!;
    expect(status).toBe(0);
    expect(out).toContain(`${lab.name} → ${lab.publicName}`);
    expect(out).toMatch(new RegExp(`${lab.servers[0]} +${lab.current.address} \\(private\\), TTL 20 s`));
    expect(out).toMatch(new RegExp(`${lab.publicServers[0]} +${lab.publicAddress} \\(public view\\)`));
    expect(out).toContain('the servers disagree');
    expect(out).toContain(`Elastic IP ${lab.publicAddress} in us-east-1`);
    expect(out).toContain(`is on ${instanceId}, private address ${lab.current.address}`);
    expect(out, 'no colours into a file').not.toContain('\u001b');
  });

  it('has colours on a terminal', async () => {
    expect((await eipPool(['resolve', lab.name, ...servers], { terminal: true })).out).toContain('\u001b[1m');
  });

  it('gives the same as JSON', async () => {
    const { json } = await eipPool(['resolve', lab.name, ...servers, '--json']);
    expect(json).toMatchObject([
      {
        addresses: [lab.current.address],
        chain: [lab.publicName],
        views: ['private'],
        elasticIp: { publicIp: lab.publicAddress, region: 'us-east-1' },
        instance: { association: { instanceId: lab.ec2.instances[0]!.instanceId } },
      },
    ]);
  });

  it('ends without AWS, with what DNS says and why EC2 says nothing', async () => {
    withoutAws();
    const { status, out } = await eipPool(['resolve', lab.name, ...servers]);
    expect(status).toBe(0);
    expect(out).toMatch(/EC2: .*(credentials|no answer)/);
  });

  it('fails for a name that no server knows', async () => {
    lab.dns.setMode({ kind: 'nxdomain' });
    const { status, out } = await eipPool(['resolve', lab.name, ...servers, '--no-aws']);
    expect(status).toBe(1);
    expect(out).toContain('ENOTFOUND');
  });
});

describe('watch', () => {
  it('tells each move with how long it took, and ends after so many', async () => {
    const moves = 2;
    const argv = ['watch', lab.name, ...servers, '--port', String(lab.port), '--interval', '100'];
    const watching = eipPool([...argv, '--count', String(moves), '--json']);
    for (let i = 0; i < moves; i++) {
      await expect.poll(() => lab.current.connections).toBe(1);
      await lab.move(lab.hosts[(lab.current.index + 1) % 2]!);
    }
    const { status, json } = await watching;
    expect(status).toBe(0);
    expect(json.map(({ event }) => event)).toEqual(['start', 'move', 'move']);
    for (const move of json.slice(1)) {
      expect(move['from']).not.toEqual(move['to']);
      expect(move['noticedWithinMillis']).toBeGreaterThanOrEqual(0);
      expect(move['connectedAfterMillis']).toBeGreaterThanOrEqual(0);
      expect(move['unreachableMillis']).toBeGreaterThanOrEqual(Number(move['connectedAfterMillis']));
    }
  });

  it('counts how long nobody was reachable', async () => {
    const argv = ['watch', lab.name, ...servers, '--port', String(lab.port), '--interval', '100', '--count', '1'];
    const watching = eipPool(argv);
    const old = lab.current;
    await expect.poll(() => old.connections).toBe(1);
    const accepted = lab.dns.queries.length;
    old.kill();
    // The outage is noticed: the name is asked more often.
    await expect.poll(() => lab.dns.queries.length).toBeGreaterThan(accepted + 2);
    await lab.move(lab.hosts[(old.index + 1) % 2]!);
    const { out } = await watching;
    expect(out).toMatch(
      / → .* \(dns .*\), noticed within \d+ ms, connected \d+ ms later, unreachable for [\d.]+ m?s\n$/,
    );
  });

  it('ends when the user has had enough', async () => {
    const enough = new AbortController();
    const watching = eipPool(['watch', lab.name, ...servers, '--aws'], { signal: enough.signal });
    await expect.poll(() => lab.ec2.calls.length).toBeGreaterThan(0);
    enough.abort();
    const { status, out } = await watching;
    expect(status).toBe(0);
    expect(out).toContain(`${lab.name} is ${lab.current.address}`);
  });
});
