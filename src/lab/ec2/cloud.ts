import type { Clock, Timer } from '../../clock.js';
import { faults } from './faults.js';

/** An instance with its one network interface. */
export interface LabInstance {
  readonly instanceId: string;
  readonly networkInterfaceId: string;
  readonly availabilityZone: string;
  readonly privateAddress: string;
  readonly state: 'running' | 'stopped' | 'terminated';
}

/** What an Elastic IP points to. */
export interface Association {
  readonly associationId: string;
  readonly instanceId: string;
  readonly networkInterfaceId: string;
  readonly privateAddress: string;
}

/** One Elastic IP as a reader of the API sees it. */
export interface LabAddress {
  readonly allocationId: string;
  readonly publicIp: string;
  readonly association: Association | null;
}

/** A public name has another answer: what EC2 tells its name servers. */
export interface NameChange {
  readonly publicIp: string;
  /** Null: the address was released, and its name is gone. */
  readonly answer: {
    /** Inside the VPC. Without an association EC2 answers the public address there too. */
    readonly private: string;
    readonly public: string;
  } | null;
}

/** An ingress rule of the security group that all instances share. */
export interface IngressRule {
  readonly port: number;
  readonly cidr: string;
}

export interface CloudOptions {
  readonly clock: Clock;
  readonly region: string;
  /** How late a reader sees what a writer did. */
  readonly apiDelayMillis: number;
  /** How late the names follow. */
  readonly dnsDelayMillis: number;
  readonly addressLimit: number;
  /** The public addresses to hand out, in this order. */
  readonly publicAddresses: () => string;
  readonly onName: (change: NameChange) => void;
}

interface Version {
  readonly visibleAt: number;
  readonly address: LabAddress | null;
}

export const VPC_ID: string = 'vpc-0a1b2c3d4e5f60718';
export const SUBNET_ID: string = 'subnet-0a1b2c3d4e5f60718';
export const GROUP_ID: string = 'sg-0a1b2c3d4e5f60718';

/**
 * The part of EC2 that an Elastic IP lives in: one account, one Region, one VPC. Writers work on the truth at once;
 * readers and names follow later, as in EC2, whose API is eventually consistent.
 */
export class Cloud {
  readonly region: string;
  readonly addressLimit: number;
  /** What the VPC's name service needs. */
  readonly vpc: { enableDnsSupport: boolean; enableDnsHostnames: boolean } = {
    enableDnsSupport: true,
    enableDnsHostnames: true,
  };
  readonly ingress: IngressRule[] = [];
  readonly #options: CloudOptions;
  readonly #instances: Map<string, LabInstance> = new Map();
  /** Every Elastic IP by its allocation: what it is, and what it was while readers may still see that. */
  readonly #versions: Map<string, readonly Version[]> = new Map();
  /** Of each resource: its tags by key. */
  readonly #tags: Map<string, ReadonlyMap<string, string>> = new Map();
  /** Names that will follow, by their timers. */
  readonly #late: Map<Timer, string> = new Map();
  #ids: number = 0;

  constructor(options: CloudOptions) {
    this.#options = options;
    this.region = options.region;
    this.addressLimit = options.addressLimit;
  }

  get instances(): readonly LabInstance[] {
    return [...this.#instances.values()];
  }

  /** What a reader sees now. */
  get visible(): readonly LabAddress[] {
    const now = this.#options.clock.now();
    return [...this.#versions.values()].flatMap(
      (versions) => versions.findLast(({ visibleAt }) => visibleAt <= now)?.address ?? [],
    );
  }

  /** What is true now. */
  get addresses(): readonly LabAddress[] {
    return [...this.#versions.values()].flatMap((versions) => versions.at(-1)?.address ?? []);
  }

  addInstance(given: Omit<LabInstance, 'instanceId' | 'networkInterfaceId'>): LabInstance {
    const instance = { ...given, instanceId: this.#id('i'), networkInterfaceId: this.#id('eni') };
    this.#instances.set(instance.instanceId, instance);
    return instance;
  }

  /** The instance as it is from now on. */
  changeInstance(instanceId: string, change: Partial<Pick<LabInstance, 'privateAddress' | 'state'>>): LabInstance {
    const instance = { ...this.#instance(instanceId), ...change };
    this.#instances.set(instanceId, instance);
    return instance;
  }

  /** An Elastic IP that has long been on this instance when the lab starts. */
  begin(instanceId: string): void {
    const publicIp = this.#options.publicAddresses();
    const association = this.#associationWith(this.#instance(instanceId));
    const address = { allocationId: this.#id('eipalloc'), publicIp, association };
    this.#versions.set(address.allocationId, [{ visibleAt: -Infinity, address }]);
  }

  allocate(): LabAddress {
    if (this.addresses.length >= this.addressLimit) throw faults.addressLimit();
    const publicIp = this.#options.publicAddresses();
    const address = { allocationId: this.#id('eipalloc'), publicIp, association: null };
    this.#write(address.allocationId, address);
    this.#tellNames(address);
    return address;
  }

  associate(request: {
    readonly allocationId: string;
    readonly instanceId?: string | undefined;
    readonly networkInterfaceId?: string | undefined;
    readonly privateAddress?: string | undefined;
    readonly allowReassociation: boolean;
  }): Association {
    const { address, instance } = this.checkAssociate(request);
    const taken = this.addresses.find(({ association }) => association?.privateAddress === instance.privateAddress);
    const association = this.#associationWith(instance);
    if (taken !== undefined && taken !== address) this.#set(taken, null);
    this.#set(address, association);
    return association;
  }

  /** Throws what `associate` would. */
  checkAssociate(request: Parameters<Cloud['associate']>[0]): {
    readonly address: LabAddress;
    readonly instance: LabInstance;
  } {
    const address = this.address(request.allocationId);
    const instance = this.#target(request);
    if (instance.state !== 'running') throw faults.notRunning(instance.instanceId);
    const privateAddress = request.privateAddress ?? instance.privateAddress;
    if (privateAddress !== instance.privateAddress) {
      throw faults.wrongPrivateAddress(privateAddress, instance.networkInterfaceId);
    }
    const { association, allocationId } = address;
    if (association !== null && !request.allowReassociation && association.privateAddress !== privateAddress) {
      throw faults.alreadyAssociated(allocationId, association.associationId);
    }
    return { address, instance };
  }

  /** For the lab, which moves the name by itself: what an operator's call would have left in the API. */
  moved(publicIp: string, instanceId: string): void {
    const address = this.addresses.find((each) => each.publicIp === publicIp);
    if (address === undefined) return;
    this.#forgetLate(publicIp);
    const association = this.#associationWith(this.#instance(instanceId));
    this.#write(address.allocationId, { ...address, association });
  }

  disassociate(associationId: string): void {
    this.#set(this.associated(associationId), null);
  }

  release(allocationId: string): void {
    const address = this.address(allocationId);
    if (address.association !== null) throw faults.inUse(address.publicIp);
    this.#write(allocationId, null);
    this.#tell({ publicIp: address.publicIp, answer: null });
  }

  tagsOf(resourceId: string): ReadonlyMap<string, string> {
    return this.#tags.get(resourceId) ?? new Map();
  }

  /** Throws what EC2 would where there is no such resource. */
  tag(resourceId: string, tags: ReadonlyMap<string, string>): void {
    if (resourceId.startsWith('eipalloc-')) this.address(resourceId);
    else this.#instance(resourceId);
    this.#tags.set(resourceId, new Map([...this.tagsOf(resourceId), ...tags]));
  }

  address(allocationId: string): LabAddress {
    const address = this.addresses.find((each) => each.allocationId === allocationId);
    if (address === undefined) throw faults.noAllocation(allocationId);
    return address;
  }

  associated(associationId: string): LabAddress {
    const address = this.addresses.find(({ association }) => association?.associationId === associationId);
    if (address === undefined) throw faults.noAssociation(associationId);
    return address;
  }

  close(): void {
    for (const timer of this.#late.keys()) this.#options.clock.clear(timer);
    this.#late.clear();
  }

  #instance(instanceId: string): LabInstance {
    const instance = this.#instances.get(instanceId);
    if (instance === undefined || instance.state === 'terminated') throw faults.noInstance(instanceId);
    return instance;
  }

  #target({ instanceId, networkInterfaceId }: Parameters<Cloud['associate']>[0]): LabInstance {
    if (instanceId !== undefined) return this.#instance(instanceId);
    if (networkInterfaceId === undefined) throw faults.missing('InstanceId or NetworkInterfaceId');
    const instance = this.instances.find((each) => each.networkInterfaceId === networkInterfaceId);
    if (instance === undefined) throw faults.noInterface(networkInterfaceId);
    return instance;
  }

  #associationWith({ instanceId, networkInterfaceId, privateAddress }: LabInstance): Association {
    return { associationId: this.#id('eipassoc'), instanceId, networkInterfaceId, privateAddress };
  }

  #set(address: LabAddress, association: Association | null): void {
    const changed = { ...address, association };
    this.#write(address.allocationId, changed);
    this.#tellNames(changed);
  }

  #write(allocationId: string, address: LabAddress | null): void {
    const { clock, apiDelayMillis } = this.#options;
    const now = clock.now();
    const before = this.#versions.get(allocationId) ?? [];
    const seen = before.findLastIndex(({ visibleAt }) => visibleAt <= now);
    this.#versions.set(allocationId, [
      ...before.slice(Math.max(0, seen)),
      { visibleAt: now + apiDelayMillis, address },
    ]);
  }

  #tellNames({ publicIp, association }: LabAddress): void {
    const answer = { private: association?.privateAddress ?? publicIp, public: publicIp };
    this.#tell({ publicIp, answer });
  }

  #tell(change: NameChange): void {
    const { clock, dnsDelayMillis, onName } = this.#options;
    if (dnsDelayMillis === 0) return onName(change);
    const timer = clock.set(() => {
      this.#late.delete(timer);
      onName(change);
    }, dnsDelayMillis);
    this.#late.set(timer, change.publicIp);
  }

  #forgetLate(publicIp: string): void {
    for (const [timer, of] of this.#late) {
      if (of !== publicIp) continue;
      this.#options.clock.clear(timer);
      this.#late.delete(timer);
    }
  }

  #id(prefix: string): string {
    return `${prefix}-${(0x0eb0_0000_0000 + ++this.#ids).toString(16).padStart(17, '0')}`;
  }
}
