import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../../src/lab/index.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ ec2: true });
});
beforeEach(() => {
  lab.ec2.imds.setMode('normal');
});
afterAll(async () => {
  await lab.close();
});

const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
  await fetch(`${lab.ec2.imds.url}${path}`, init);
const token = async (ttl = '60'): Promise<Response> =>
  await ask('/latest/api/token', { method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': ttl } });
const read = async (path: string): Promise<string> => {
  const headers = { 'X-aws-ec2-metadata-token': await (await token()).text() };
  return await (await ask(`/latest/meta-data/${path}`, { headers })).text();
};

describe('the metadata service of the lab', () => {
  it('says where the instance is', async () => {
    expect(await read('placement/availability-zone')).toBe('us-east-1a');
    expect(await read('placement/region')).toBe('us-east-1');
    const mac = await read('mac');
    expect(await read(`network/interfaces/macs/${mac}/vpc-ipv4-cidr-blocks`)).toBe('127.0.0.0/8');
  });

  it('insists on a token of version 2', async () => {
    expect((await ask('/latest/meta-data/mac')).status).toBe(401);
    const headers = { 'X-aws-ec2-metadata-token': 'made up' };
    expect((await ask('/latest/meta-data/mac', { headers })).status).toBe(401);
    expect([(await token('0')).status, (await token('21601')).status, (await token('21600')).status]).toEqual([
      400, 400, 200,
    ]);
  });

  it('never answers for a token across a hop too many', async () => {
    lab.ec2.imds.setMode('hop-limit');
    const asked = ask('/latest/api/token', {
      method: 'PUT',
      headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
      signal: AbortSignal.timeout(100),
    });
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('can be switched off', async () => {
    lab.ec2.imds.setMode('disabled');
    expect((await token()).status).toBe(403);
  });
});
