import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';
import { eipPool, useAws } from './support.js';

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ ec2: { allocated: false } });
  useAws(lab);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await lab.close();
});

describe('the commands of the article', () => {
  it('allocate, associate, describe, reassign, disassociate and release', async () => {
    const server = ['--server', lab.servers[0]!];
    const [first, second] = lab.ec2.instances;
    const allocated = await eipPool(['eip', 'allocate']);
    expect(allocated.out).toContain(`${lab.publicAddress}  ${lab.publicName}`);
    const [id] = /eipalloc-\w+/.exec(allocated.out)!;

    const associated = await eipPool(['eip', 'associate', id, first!.instanceId, '--name', lab.name, ...server]);
    expect(associated.out).toMatch(/the API shows 127\..*\n.*DNS answers 127\..*\nswitched in \d+\.\d\d s/);

    expect((await eipPool(['eip', 'describe', lab.publicAddress])).out).toContain(`is on ${first!.instanceId}`);
    const reassign = ['eip', 'associate', lab.publicName, second!.instanceId, '--port', String(lab.port), ...server];
    const { json } = await eipPool([...reassign, '--json']);
    expect(json[0]).toMatchObject({
      privateAddress: lab.hosts[1]!.address,
      steps: expect.arrayContaining([
        expect.objectContaining({ kind: 'api' }),
        expect.objectContaining({ kind: 'dns' }),
        expect.objectContaining({ kind: 'port' }),
      ]) as unknown,
    });

    expect((await eipPool(['eip', 'release', id])).error).toContain('disassociate it first');
    expect((await eipPool(['eip', 'disassociate', id])).out).toBe('disassociated\n');
    expect((await eipPool(['eip', 'release', id])).out).toBe('released\n');
    expect((await eipPool(['eip', 'describe'])).out).toBe('no Elastic IP is allocated here\n');
  });

  it('do nothing under --dry-run, and fail where the call would', async () => {
    expect((await eipPool(['eip', 'allocate', '--dry-run'])).out).toContain('nothing was');
    expect(lab.ec2.addresses).toEqual([]);
    lab.ec2.deny('AllocateAddress');
    const denied = await eipPool(['eip', 'allocate', '--dry-run', '--json']);
    expect(denied.status).toBe(1);
    expect(denied.json).toMatchObject([{ error: { code: 'API_UNAUTHORIZED' } }]);
  });

  it('say what did not follow, and fail', async () => {
    const { out } = await eipPool(['eip', 'allocate']);
    const [id] = /eipalloc-\w+/.exec(out)!;
    lab.hosts[0]!.refuse();
    const argv = ['eip', 'associate', id, lab.ec2.instances[0]!.instanceId, '--server', lab.servers[0]!];
    const late = await eipPool([...argv, '--port', String(lab.port), '--deadline', '0.2']);
    expect(late.status).toBe(1);
    expect(late.error).toMatch(/to accept a connection: gave up; what was done stays done/);
  });
});
