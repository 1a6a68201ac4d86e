export type { Database, DatabaseContext, DatabaseFactory, LabDatabase } from './database.js';
export type { DnsAddresses, DnsMode, DnsRecord, DnsView, SimpleMode } from './dns-mode.js';
export type { DnsQuery, DnsServer } from './dns-server.js';
export type { LabConnection, PostgresOptions } from './embedded-postgres.js';
export type { HostFault } from './host-fault.js';
export type { HostSnapshot, LabHost } from './host.js';
export { startLab, type Lab, type LabMove, type LabSnapshot, type MoveOptions } from './lab.js';
export type { LabOptions } from './options.js';
