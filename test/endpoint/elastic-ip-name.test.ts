import { describe, expect, it } from 'vitest';
import { encodedAddress } from '../../src/endpoint/elastic-ip-name.js';

describe('a name of EC2', () => {
  it.each([
    'ec2-203-0-113-25.compute-1.amazonaws.com',
    'ec2-203-0-113-25.eu-central-1.compute.amazonaws.com',
    'ec2-203-0-113-25.us-gov-west-1.compute.amazonaws.com',
    'ec2-203-0-113-25.cn-north-1.compute.amazonaws.com.cn',
    'ec2-203-0-113-25.eusc-de-east-1.compute.amazonaws.eu',
    'EC2-203-0-113-25.Compute-1.AmazonAWS.com.',
  ])('%s encodes its Elastic IP', (name) => {
    expect(encodedAddress(name)).toBe('203.0.113.25');
  });

  it.each([
    'db.example.com',
    'ip-10-0-0-1.ec2.internal',
    'ec2-203-0-113-256.compute-1.amazonaws.com',
    'ec2-203-0-113.compute-1.amazonaws.com',
    'xec2-203-0-113-25.compute-1.amazonaws.com',
    'ec2-203-0-113-25.compute-1.amazonaws.com.evil.example',
    'ec2-203-0-113-25.compute.amazonaws.com',
    '',
  ])('%s encodes none', (name) => {
    expect(encodedAddress(name)).toBeNull();
  });
});
