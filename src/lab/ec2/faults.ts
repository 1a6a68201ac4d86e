/** An error reply of the EC2 API. Codes and texts as EC2 sends them: API reference, "Error codes for the Amazon EC2 API". */
export class Ec2Fault extends Error {
  override readonly name: string = 'Ec2Fault';
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

type FaultName =
  | 'throttled'
  | 'dryRun'
  | 'unknownAction'
  | 'unauthorized'
  | 'authFailure'
  | 'missing'
  | 'noAllocation'
  | 'noAddress'
  | 'noInstance'
  | 'noInterface'
  | 'noAssociation'
  | 'noVpc'
  | 'noGroup'
  | 'notRunning'
  | 'addressLimit'
  | 'alreadyAssociated'
  | 'inUse'
  | 'wrongPrivateAddress';

export const faults: Readonly<Record<FaultName, (...about: string[]) => Ec2Fault>> = {
  throttled: () => new Ec2Fault('RequestLimitExceeded', 'Request limit exceeded.', 503),
  dryRun: () => new Ec2Fault('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412),
  unknownAction: (action) => new Ec2Fault('InvalidAction', `The action ${action} is not valid for this web service.`),
  unauthorized: (action) =>
    new Ec2Fault(
      'UnauthorizedOperation',
      `You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/lab is not authorized to ` +
        `perform: ec2:${action} because no identity-based policy allows the ec2:${action} action`,
      403,
    ),
  authFailure: () => new Ec2Fault('AuthFailure', 'AWS was not able to validate the provided access credentials', 401),
  missing: (parameter) => new Ec2Fault('MissingParameter', `The request must contain the parameter ${parameter}`),
  noAllocation: (id) => new Ec2Fault('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`),
  noAddress: (ip) => new Ec2Fault('InvalidAddress.NotFound', `Address '${ip}' not found.`),
  noInstance: (id) => new Ec2Fault('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`),
  noInterface: (id) =>
    new Ec2Fault('InvalidNetworkInterfaceID.NotFound', `The networkInterface ID '${id}' does not exist`),
  noAssociation: (id) => new Ec2Fault('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`),
  noVpc: (id) => new Ec2Fault('InvalidVpcID.NotFound', `The vpc ID '${id}' does not exist`),
  noGroup: (id) => new Ec2Fault('InvalidGroup.NotFound', `The security group '${id}' does not exist`),
  notRunning: (id) =>
    new Ec2Fault('IncorrectInstanceState', `The instance '${id}' is not in a valid state for this operation.`),
  addressLimit: () => new Ec2Fault('AddressLimitExceeded', 'The maximum number of addresses has been reached.'),
  alreadyAssociated: (id, by) =>
    new Ec2Fault('Resource.AlreadyAssociated', `resource ${id} is already associated with associate-id ${by}`),
  inUse: (ip) => new Ec2Fault('InvalidIPAddress.InUse', `Address ${ip} is in use.`),
  wrongPrivateAddress: (address, id) =>
    new Ec2Fault('InvalidParameterValue', `The address ${address} is not a private IP address of ${id}`),
};
