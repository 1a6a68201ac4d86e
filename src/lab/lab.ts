import { systemClock } from '../clock.js';
import { EipPoolError } from '../errors.js';
import { boolean, invalidOption, millis, readOptions } from '../options.js';
import type { DnsRecord, Zone } from './dns-mode.js';
import { DnsServer } from './dns-server.js';
import { LabEc2 } from './ec2/lab-ec2.js';
import { CONNECTION, type LabConnection } from './embedded-postgres.js';
import { type HostSnapshot, LabHost } from './host.js';
import { type LabNetwork, loopbackNetwork, type Network } from './lab-network.js';
import type { AddressSource } from './loopback.js';
import { type LabOptions, type LabSettings, readLabOptions } from './options.js';
import { realNetwork } from './real-network.js';
import { Servers } from './servers.js';
import { loadWire } from './wire.js';

export interface MoveOptions {
  /**
   * How long after the call the DNS answer changes, in milliseconds. The call returns after it.
   * @defaultValue 0
   */
  readonly delayMillis?: number | undefined;
  /**
   * Whether the host gets an address it never had first, as a new instance would have. It goes on listening on its older
   * ones. `false` is a return to the address that it has.
   * @defaultValue true
   */
  readonly fresh?: boolean | undefined;
}

export interface LabMove {
  /** The address that the name answered before. */
  readonly from: string;
  /** The address that it answers now. */
  readonly to: string;
  /** `performance.now()` at the change of the DNS answer. */
  readonly at: number;
}

export interface LabSnapshot {
  readonly name: string;
  readonly port: number;
  /** What the private view answers when its mode is `normal`. */
  readonly answer: readonly string[];
  readonly mode: string;
  readonly queries: number;
  readonly current: string;
  readonly hosts: readonly HostSnapshot[];
  /** The folder with the servers' data; none for `tcp-echo`. */
  readonly folder: string | undefined;
}

interface Parts {
  readonly settings: LabSettings;
  readonly hosts: readonly LabHost[];
  readonly dns: DnsServer;
  readonly servers: Servers | undefined;
  readonly network: Network;
  readonly ec2: LabEc2 | null;
}

/** A port must be free on every host's address; so many ports are tried. */
const PORT_ATTEMPTS: number = 20;
/** Another process may hold the same address and port by chance; so many addresses are tried. */
const ADDRESS_ATTEMPTS: number = 8;

/**
 * What EC2 gives an application, in one process and without root: a name with a CNAME, its DNS server, hosts in front of
 * real servers, and faults. It keeps the process alive until {@link Lab.close}.
 *
 * Throws `INVALID_OPTION`, or `LAB_UNAVAILABLE` with what to do about it.
 */
export async function startLab(options?: LabOptions): Promise<Lab> {
  const settings = readLabOptions(options);
  const wire = await loadWire();
  const network = await (settings.network === 'real' ? realNetwork() : loopbackNetwork());
  let servers: Servers | undefined;
  const hosts = Array.from({ length: settings.hosts }, (_, index) => new LabHost(index, network));
  try {
    if (settings.databases !== 'tcp-echo') servers = await Servers.start(settings);
    await listenOnOnePort(hosts, network.addresses);
    for (const [index, host] of hosts.entries()) {
      const database = servers?.databases[index];
      if (database !== undefined) host.setDatabase(database);
    }
    const { publicName: target, ttlSeconds, publicClients } = settings;
    const allocated = settings.ec2?.allocated ?? true;
    const dns = await DnsServer.start({
      wire,
      target,
      ttlSeconds,
      publicClients,
      privateZone: zoneOf(settings, allocated ? (hosts[0]?.address ?? '') : null),
      publicZone: zoneOf(settings, allocated ? settings.publicAddress : null),
      listen: network.dns,
    });
    const ec2 = settings.ec2 === null ? null : await startEc2(settings, hosts, dns, network);
    return new Lab({ settings, hosts, dns, servers, network, ec2 });
  } catch (error) {
    for (const host of hosts) host.closeSync();
    await Promise.allSettled([servers?.close(), network.close()]);
    throw error;
  }
}

/** Made by {@link startLab}. */
export class Lab {
  readonly #parts: Parts;
  #current: LabHost;
  #closing: Promise<void> | undefined;

  /** Internal: use {@link startLab}. */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#current = parts.hosts[0]!;
  }

  /** The name to follow. */
  get name(): string {
    return this.#parts.settings.name;
  }

  /** The Elastic IP's own name, to which the CNAME leads. */
  get publicName(): string {
    return this.#parts.settings.publicName;
  }

  /** What the public view answers. */
  get publicAddress(): string {
    return this.#parts.settings.publicAddress;
  }

  /** For `follow`'s `servers`: the view from inside the VPC. */
  get servers(): readonly string[] {
    return this.#parts.dns.servers;
  }

  /** The view from elsewhere. */
  get publicServers(): readonly string[] {
    return this.#parts.dns.publicServers;
  }

  /** The TCP port on which every host listens. */
  get port(): number {
    return this.#current.port;
  }

  get hosts(): readonly LabHost[] {
    return this.#parts.hosts;
  }

  /** The host that the name points to. */
  get current(): LabHost {
    const [address] = this.dns.answer.a;
    // Associating through EC2's API moves the name too.
    return this.hosts.find(({ addresses }) => address !== undefined && addresses.includes(address)) ?? this.#current;
  }

  get network(): LabNetwork {
    return this.#parts.network;
  }

  get dns(): DnsServer {
    return this.#parts.dns;
  }

  /**
   * EC2's API and metadata service.
   * @throws `LAB_UNAVAILABLE` unless the lab was started with the option `ec2`
   */
  get ec2(): LabEc2 {
    if (this.#parts.ec2 !== null) return this.#parts.ec2;
    throw new EipPoolError('LAB_UNAVAILABLE', 'this lab has no EC2: start it with startLab({ ec2: true })');
  }

  /** User, password (SCRAM in PostgreSQL) and database; null unless `embedded-postgres` or `mariadb`. */
  get connection(): LabConnection | null {
    const { databases } = this.#parts.settings;
    return databases === 'embedded-postgres' || databases === 'mariadb' ? CONNECTION : null;
  }

  /** Points the name to a host: the Elastic IP was reassigned. Nothing happens to the host that it leaves. */
  async move(host: LabHost, options?: MoveOptions): Promise<LabMove> {
    const { delayMillis, fresh } = readOptions<{ delayMillis: number; fresh: boolean }>(
      { delayMillis: millis(0, 0), fresh: boolean(true) },
      options,
      'move',
    );
    const index = this.hosts.indexOf(host);
    if (index < 0) throw invalidOption('host', 'one of lab.hosts', host);
    if (this.#closing !== undefined) throw new EipPoolError('LAB_UNAVAILABLE', 'the lab was closed');
    if (fresh) await addAddress(host, index, this.port, this.#parts.network.addresses);
    if (delayMillis > 0) await new Promise<void>((resolve) => systemClock.setAwaited(resolve, delayMillis));
    const from = this.dns.answer.a[0] ?? '';
    this.#parts.ec2?.moved(host);
    this.dns.setAnswer({ a: [host.address] });
    const at = systemClock.now();
    this.#current = host;
    return { from, to: host.address, at };
  }

  snapshot(): LabSnapshot {
    const { dns, hosts, servers } = this.#parts;
    return {
      name: this.name,
      port: this.port,
      answer: [...dns.answer.a, ...dns.answer.aaaa],
      mode: dns.mode.kind,
      queries: dns.queries.length,
      current: this.current.id,
      hosts: hosts.map((host) => host.snapshot()),
      folder: servers?.folder,
    };
  }

  /** Ends all servers and connections and removes the folders. The second call waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Like {@link close}, without waiting: for a signal handler that exits at once. Runs by itself on `process.exit`. */
  closeSync(): void {
    for (const host of this.hosts) host.closeSync();
    this.#parts.ec2?.close();
    this.#parts.servers?.closeSync();
    this.#closing ??= this.dns.close();
    this.#closing.catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const host of this.hosts) host.closeSync();
    this.#parts.ec2?.close();
    await Promise.all([this.dns.close(), this.#parts.servers?.close(), this.#parts.network.close()]);
  }
}

async function startEc2(
  { ec2: settings, publicName, publicAddress, ttlSeconds }: LabSettings,
  hosts: readonly LabHost[],
  dns: DnsServer,
  network: Network,
): Promise<LabEc2 | null> {
  if (settings === null) return null;
  const vpcCidrs = [network.kind === 'real' ? '10.0.0.0/8' : '127.0.0.0/8'];
  try {
    return await LabEc2.start({ settings, hosts, dns, publicName, publicIp: publicAddress, ttlSeconds, vpcCidrs });
  } catch (error) {
    await dns.close();
    throw error;
  }
}

/** @param address null: the name has no address yet, as that of an Elastic IP before it is allocated */
function zoneOf({ name, publicName, ttlSeconds }: LabSettings, address: string | null): Zone {
  const zone = new Map<string, readonly DnsRecord[]>();
  if (name.toLowerCase() !== publicName.toLowerCase()) {
    zone.set(name.toLowerCase(), [{ type: 'CNAME', data: publicName, ttlSeconds }]);
  }
  if (address !== null) zone.set(publicName.toLowerCase(), [{ type: 'A', data: address, ttlSeconds }]);
  return zone;
}

async function listenOnOnePort(hosts: readonly LabHost[], addresses: AddressSource): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      let port = 0;
      for (const [index, host] of hosts.entries()) port = await addAddress(host, index, port, addresses);
      return;
    } catch (error) {
      for (const host of hosts) host.dropAddresses();
      if (!isCode(error, 'EADDRINUSE') || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function addAddress(host: LabHost, index: number, port: number, addresses: AddressSource): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const address = await addresses.next(index);
    try {
      return await host.addAddress(address, port);
    } catch (error) {
      if (isCode(error, 'EADDRNOTAVAIL')) throw addresses.unavailable(address, error);
      if (!isCode(error, 'EADDRINUSE') || attempt === ADDRESS_ATTEMPTS) throw error;
    }
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
