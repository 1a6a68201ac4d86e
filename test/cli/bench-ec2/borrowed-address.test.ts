import { describe, expect, it } from 'vitest';
import { BorrowedAddress, describeRestored } from '../../../src/cli/bench/ec2/borrowed-address.js';
import type { Ground, Side } from '../../../src/cli/bench/ec2/ground.js';
import type { AssociationTarget, ElasticIpDescription } from '../../../src/ec2/index.js';

const side = (instanceId: string, privateAddress: string): Side => ({
  instanceId,
  privateAddress,
  target: { privateAddress },
  identity: instanceId,
});
const [home, other] = [side('i-1', '10.0.0.1'), side('i-2', '10.0.0.2')];
const ground: Ground = {
  allocationId: 'eipalloc-1',
  publicIp: '75.101.137.243',
  region: 'eu-west-1',
  sides: [home, other],
  lostAddress: null,
};
const never = new AbortController().signal;
const aborted = AbortSignal.abort(new Error('enough'));

/** EC2 as far as it is asked; `fails` decides for each association whether its reply is lost. */
class FakeElasticIp {
  readonly asked: AssociationTarget[] = [];
  fails = false;
  at = home.privateAddress;

  async describe(): Promise<ElasticIpDescription> {
    const association = {
      associationId: 'eipassoc-1',
      privateAddress: this.at,
      networkInterfaceId: 'eni-1',
      instanceId: null,
    };
    return { allocationId: 'eipalloc-1', publicIp: '75.101.137.243', association, tags: {} };
  }

  async associate(target: AssociationTarget): Promise<never> {
    this.asked.push(target);
    this.at = (target as { privateAddress: string }).privateAddress;
    if (this.fails) throw new Error('the reply was lost');
    return { associationId: 'eipassoc-2', privateAddress: this.at, steps: [] } as never;
  }
}

const restore = (address: BorrowedAddress, givenUp: AbortSignal, failures: unknown[] = []) =>
  address.restore({ millis: 60_000, givenUp, onFailure: (error) => failures.push(error) });

describe('a borrowed Elastic IP', () => {
  it('is not touched at the end where it was never switched, nor by a switch that was called off', async () => {
    const ec2 = new FakeElasticIp();
    const address = new BorrowedAddress(ec2, ground);
    await expect(address.point(other, aborted)).rejects.toThrow('enough');
    expect(await restore(address, never)).toEqual({ kind: 'untouched' });
    expect(ec2.asked).toEqual([]);
  });

  it('is put back after a switch whose reply was lost, because it may have been done', async () => {
    const ec2 = new FakeElasticIp();
    const address = new BorrowedAddress(ec2, ground);
    ec2.fails = true;
    await expect(address.point(other, never)).rejects.toThrow('the reply was lost');
    ec2.fails = false;
    expect(await restore(address, never)).toEqual({ kind: 'restored' });
    expect(ec2.asked).toEqual([other.target, home.target]);
    expect(await restore(address, never), 'once is enough').toEqual({ kind: 'untouched' });
  });

  it('is tried to be put back once more, and no longer, when the user has given up', async () => {
    const ec2 = new FakeElasticIp();
    const address = new BorrowedAddress(ec2, ground);
    await address.point(other, never);
    ec2.fails = true;
    const failures: unknown[] = [];
    const restored = await restore(address, aborted, failures);
    expect(restored).toMatchObject({ kind: 'failed' });
    expect(failures).toHaveLength(1);
    const { ok, text } = describeRestored(restored, ground);
    expect(ok).toBe(false);
    expect(text).toMatch(
      /the reply was lost\n.*\n {2}npx eip-pool eip associate eipalloc-1 10\.0\.0\.1 --region eu-west-1$/,
    );
  });

  it('is neither switched nor put back once somebody else has moved it', async () => {
    const ec2 = new FakeElasticIp();
    const address = new BorrowedAddress(ec2, ground);
    await address.point(other, never);
    ec2.at = '10.0.0.3';
    await expect(address.point(home, never)).rejects.toThrow(
      'somebody else has moved the Elastic IP to eni-1 (10.0.0.3)',
    );
    expect(await restore(address, never)).toEqual({ kind: 'elsewhere', where: 'eni-1 (10.0.0.3)' });
    expect(ec2.asked).toEqual([other.target]);
  });
});
