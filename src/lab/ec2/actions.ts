import {
  type Association,
  type Cloud,
  GROUP_ID,
  type LabAddress,
  type LabInstance,
  SUBNET_ID,
  VPC_ID,
} from './cloud.js';
import { Ec2Fault, faults } from './faults.js';
import type { Query, Xml } from './query-protocol.js';

/** One action of the API: throws what EC2 would, else does it, unless the call is a dry run. */
type Action = (cloud: Cloud, query: Query) => Xml;

const ACCOUNT: string = '123456789012';

export const actions: Readonly<Record<string, Action>> = {
  AllocateAddress: (cloud, query) => {
    if (cloud.addresses.length >= cloud.addressLimit) throw faults.addressLimit();
    endDryRun(query);
    const { allocationId, publicIp } = cloud.allocate();
    return { allocationId, publicIp, domain: 'vpc', publicIpv4Pool: 'amazon', networkBorderGroup: cloud.region };
  },
  AssociateAddress: (cloud, query) => {
    const request = {
      allocationId: allocationOf(cloud, query),
      instanceId: query.get('InstanceId'),
      networkInterfaceId: query.get('NetworkInterfaceId'),
      privateAddress: query.get('PrivateIpAddress'),
      allowReassociation: query.flag('AllowReassociation', true),
    };
    cloud.checkAssociate(request);
    endDryRun(query);
    return { return: true, associationId: cloud.associate(request).associationId };
  },
  DisassociateAddress: (cloud, query) => {
    const associationId = required(query, 'AssociationId');
    cloud.associated(associationId);
    endDryRun(query);
    cloud.disassociate(associationId);
    return { return: true };
  },
  ReleaseAddress: (cloud, query) => {
    const allocationId = required(query, 'AllocationId');
    const { association, publicIp } = cloud.address(allocationId);
    if (association !== null) throw faults.inUse(publicIp);
    endDryRun(query);
    cloud.release(allocationId);
    return { return: true };
  },
  CreateTags: (cloud, query) => {
    const ids = query.list('ResourceId');
    if (ids.length === 0) throw faults.missing('ResourceId');
    endDryRun(query);
    for (const id of ids) cloud.tag(id, query.tags());
    return { return: true };
  },
  DescribeAddresses: (cloud, query) => {
    const found = describedAddresses(cloud, query);
    endDryRun(query);
    return { addressesSet: found.map((address) => addressXml(cloud, address)) };
  },
  DescribeInstances: (cloud, query) => {
    const ids = query.list('InstanceId');
    for (const id of ids) if (!cloud.instances.some((each) => each.instanceId === id)) throw faults.noInstance(id);
    endDryRun(query);
    const found = cloud.instances
      .filter(({ instanceId }) => ids.length === 0 || ids.includes(instanceId))
      .filter(matching(query, { 'instance-id': 'instanceId', 'private-ip-address': 'privateAddress' }));
    return {
      reservationSet: found.map((instance) => ({
        reservationId: instance.instanceId.replace('i-', 'r-'),
        ownerId: ACCOUNT,
        instancesSet: [instanceXml(cloud, instance)],
      })),
    };
  },
  DescribeNetworkInterfaces: (cloud, query) => {
    const ids = query.list('NetworkInterfaceId');
    const known = (id: string): boolean => cloud.instances.some((each) => each.networkInterfaceId === id);
    for (const id of ids) if (!known(id)) throw faults.noInterface(id);
    endDryRun(query);
    const found = cloud.instances
      .filter(({ networkInterfaceId }) => ids.length === 0 || ids.includes(networkInterfaceId))
      .filter(
        matching(query, {
          'network-interface-id': 'networkInterfaceId',
          'attachment.instance-id': 'instanceId',
          'addresses.private-ip-address': 'privateAddress',
          'private-ip-address': 'privateAddress',
        }),
      );
    return { networkInterfaceSet: found.map((instance) => interfaceXml(cloud, instance)) };
  },
  DescribeSecurityGroups: (cloud, query) => {
    for (const id of query.list('GroupId')) if (id !== GROUP_ID) throw faults.noGroup(id);
    endDryRun(query);
    const ipPermissions = cloud.ingress.map(({ port, cidr }) => ({
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      ipRanges: cidr.includes(':') ? [] : [{ cidrIp: cidr }],
      ipv6Ranges: cidr.includes(':') ? [{ cidrIpv6: cidr }] : [],
    }));
    const group = { groupId: GROUP_ID, groupName: 'lab', groupDescription: 'lab', vpcId: VPC_ID, ownerId: ACCOUNT };
    return { securityGroupInfo: [{ ...group, ipPermissions }] };
  },
  DescribeVpcAttribute: (cloud, query) => {
    const vpcId = required(query, 'VpcId');
    if (vpcId !== VPC_ID) throw faults.noVpc(vpcId);
    const attribute = required(query, 'Attribute');
    if (attribute !== 'enableDnsSupport' && attribute !== 'enableDnsHostnames') {
      throw new Ec2Fault('InvalidParameterValue', `Value (${attribute}) for parameter attribute is invalid`);
    }
    endDryRun(query);
    return { vpcId, [attribute]: { value: cloud.vpc[attribute] } };
  },
  DescribeAccountAttributes: (cloud, query) => {
    endDryRun(query);
    const attributeValueSet = [{ attributeValue: cloud.addressLimit }];
    return { accountAttributeSet: [{ attributeName: 'vpc-max-elastic-ips', attributeValueSet }] };
  },
};

/** Everything that could be wrong has been looked at: this is how EC2 says that it would have worked. */
function endDryRun(query: Query): void {
  if (query.flag('DryRun', false)) throw faults.dryRun();
}

function required(query: Query, name: string): string {
  const value = query.get(name);
  if (value === undefined) throw faults.missing(name);
  return value;
}

function allocationOf(cloud: Cloud, query: Query): string {
  const publicIp = query.get('PublicIp');
  if (publicIp === undefined) return required(query, 'AllocationId');
  const found = cloud.addresses.find((address) => address.publicIp === publicIp);
  if (found === undefined) throw faults.noAddress(publicIp);
  return found.allocationId;
}

function describedAddresses(cloud: Cloud, query: Query): readonly LabAddress[] {
  const { visible } = cloud;
  const ids = query.list('AllocationId');
  const ips = query.list('PublicIp');
  for (const id of ids) if (!visible.some(({ allocationId }) => allocationId === id)) throw faults.noAllocation(id);
  for (const ip of ips) if (!visible.some(({ publicIp }) => publicIp === ip)) throw faults.noAddress(ip);
  return visible
    .filter(({ allocationId }) => ids.length === 0 || ids.includes(allocationId))
    .filter(({ publicIp }) => ips.length === 0 || ips.includes(publicIp))
    .map(({ association, ...address }) => ({ ...address, ...association, association }))
    .filter(
      matching(query, {
        'public-ip': 'publicIp',
        'allocation-id': 'allocationId',
        'association-id': 'associationId',
        'instance-id': 'instanceId',
        'network-interface-id': 'networkInterfaceId',
        'private-ip-address': 'privateAddress',
      }),
    );
}

/** EC2's filters: every name must match, by one of its values. */
function matching(query: Query, fields: Readonly<Record<string, string>>): (item: object) => boolean {
  const filters = [...query.filters()].map(([name, values]) => {
    const field = fields[name];
    if (field === undefined) throw new Ec2Fault('InvalidParameterValue', `The filter '${name}' is invalid`);
    return { field, values };
  });
  return (item) =>
    filters.every(({ field, values }) => values.includes(String((item as Readonly<Record<string, unknown>>)[field])));
}

/** Left out where there is none, as EC2 does. */
function tagsXml(cloud: Cloud, resourceId: string): { readonly tagSet: Xml | undefined } {
  const tags = [...cloud.tagsOf(resourceId)].map(([key, value]) => ({ key, value }));
  return { tagSet: tags.length === 0 ? undefined : tags };
}

function addressXml(cloud: Cloud, { allocationId, publicIp, association }: LabAddress): Xml {
  return {
    publicIp,
    allocationId,
    ...tagsXml(cloud, allocationId),
    domain: 'vpc',
    publicIpv4Pool: 'amazon',
    networkBorderGroup: cloud.region,
    ...(association === null ? {} : associationXml(association)),
  };
}

function associationXml(association: Association): { readonly [name: string]: Xml } {
  return {
    instanceId: association.instanceId,
    associationId: association.associationId,
    networkInterfaceId: association.networkInterfaceId,
    networkInterfaceOwnerId: ACCOUNT,
    privateIpAddress: association.privateAddress,
  };
}

const STATE_CODES: Readonly<Record<LabInstance['state'], number>> = { running: 16, terminated: 48, stopped: 80 };

function instanceXml(cloud: Cloud, instance: LabInstance): Xml {
  const publicIp = publicIpOf(cloud, instance);
  return {
    instanceId: instance.instanceId,
    instanceState: { code: STATE_CODES[instance.state], name: instance.state },
    instanceType: 't3.micro',
    privateIpAddress: instance.privateAddress,
    privateDnsName: `ip-${instance.privateAddress.replaceAll('.', '-')}.ec2.internal`,
    ipAddress: publicIp,
    vpcId: VPC_ID,
    subnetId: SUBNET_ID,
    placement: { availabilityZone: instance.availabilityZone },
    groupSet: [{ groupId: GROUP_ID, groupName: 'lab' }],
    networkInterfaceSet: [{ networkInterfaceId: instance.networkInterfaceId }],
    ...tagsXml(cloud, instance.instanceId),
  };
}

function interfaceXml(cloud: Cloud, instance: LabInstance): Xml {
  const publicIp = publicIpOf(cloud, instance);
  return {
    networkInterfaceId: instance.networkInterfaceId,
    vpcId: VPC_ID,
    subnetId: SUBNET_ID,
    availabilityZone: instance.availabilityZone,
    ownerId: ACCOUNT,
    status: 'in-use',
    privateIpAddress: instance.privateAddress,
    privateIpAddressesSet: [{ privateIpAddress: instance.privateAddress, primary: true }],
    groupSet: [{ groupId: GROUP_ID, groupName: 'lab' }],
    attachment: { instanceId: instance.instanceId, status: 'attached', deviceIndex: 0 },
    association: publicIp === undefined ? undefined : { publicIp },
  };
}

function publicIpOf(cloud: Cloud, { instanceId }: LabInstance): string | undefined {
  return cloud.visible.find(({ association }) => association?.instanceId === instanceId)?.publicIp;
}
